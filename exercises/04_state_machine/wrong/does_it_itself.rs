//! Tempting: the socket is at hand, so send the question.
//! Told: somebody else lets it happen
        match (mem::replace(&mut self.state, State::Over), data) {
            (State::Start(client), _) => {
                let _ = client.try_send(b"Your name? ");
                let event = client.recv();
                self.state = State::Listening(client);
                Resumed::yielded(event)
            }
            (State::Listening(client), Data::Received(name)) if !name.is_empty() => {
                let _ = client.try_send(&[b"Hello, ", &*name].concat());
                self.state = State::Closing;
                Resumed::yielded(client.close())
            }
            _ => Resumed::Finished,
        }
