//! Tempting: what has been received can be sent at once, without asking again.
//! Told: who says that of a second one?
SOLVED
// NEXT
SOLVED
// NEXT
        if let State::Receiving = self.state {
            let mut buffer = [0; 4096];
            let received = self.stream.read(&mut buffer)?;
            if received == 0 {
                return Ok(false);
            }
            self.state = State::Sending(buffer[..received].to_vec());
        }
        if let State::Sending(bytes) = &mut self.state {
            let sent = self.stream.write(bytes)?;
            bytes.drain(..sent);
            if bytes.is_empty() {
                self.state = State::Receiving;
            }
        }
        Ok(true)
