//! Tempting: take the state out, to own the bytes; and `?` leaves before it is put back.
//! Told: what it had to send, it still has to send
SOLVED
// NEXT
SOLVED
// NEXT
        match std::mem::replace(&mut self.state, State::Receiving) {
            State::Receiving => {
                let mut buffer = [0; 4096];
                let received = self.stream.read(&mut buffer)?;
                if received == 0 {
                    return Ok(false);
                }
                self.state = State::Sending(buffer[..received].to_vec());
            }
            State::Sending(mut bytes) => {
                let sent = self.stream.write(&bytes)?;
                bytes.drain(..sent);
                if !bytes.is_empty() {
                    self.state = State::Sending(bytes);
                }
            }
        }
        Ok(true)
