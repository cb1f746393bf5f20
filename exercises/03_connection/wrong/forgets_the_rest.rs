//! Tempting: it has written, so now it reads.
//! Told: of the greeting is sent
SOLVED
// NEXT
SOLVED
// NEXT
        match &mut self.state {
            State::Receiving => {
                let mut buffer = [0; 4096];
                let received = self.stream.read(&mut buffer)?;
                if received == 0 {
                    return Ok(false);
                }
                self.state = State::Sending(buffer[..received].to_vec());
            }
            State::Sending(bytes) => {
                self.stream.write(bytes)?;
                self.state = State::Receiving;
            }
        }
        Ok(true)
