//! Tempting: a client that has gone needs no goodbye.
//! Told: the greeting could not be sent
        match (mem::replace(&mut self.state, State::Over), data) {
            (State::Start(client), _) => {
                let event = client.send(b"Your name? ");
                self.state = State::Asking(client);
                Resumed::yielded(event)
            }
            (State::Asking(client), Data::Sent(_)) => {
                let event = client.recv();
                self.state = State::Listening(client);
                Resumed::yielded(event)
            }
            (State::Listening(client), Data::Received(name)) if !name.is_empty() => {
                let event = client.send([b"Hello, ", &*name].concat());
                self.state = State::Greeting(client);
                Resumed::yielded(event)
            }
            (State::Greeting(_), Data::Failed(_)) => Resumed::Finished,
            (
                State::Asking(client)
                | State::Listening(client)
                | State::Greeting(client),
                _,
            ) => {
                self.state = State::Closing;
                Resumed::yielded(client.close())
            }
            (State::Closing | State::Over, _) => Resumed::Finished,
        }
