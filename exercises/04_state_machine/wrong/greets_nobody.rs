//! Tempting: something was received, so it is the name.
//! Told: whom would you greet?
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
            (State::Listening(client), Data::Received(name)) => {
                let event = client.send([b"Hello, ", &*name].concat());
                self.state = State::Greeting(client);
                Resumed::yielded(event)
            }
            (
                State::Asking(client) | State::Listening(client) | State::Greeting(client),
                _,
            ) => {
                self.state = State::Closing;
                Resumed::yielded(client.close())
            }
            (State::Closing | State::Over, _) => Resumed::Finished,
        }
