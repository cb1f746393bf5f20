//! Tempting: a task for each line; the scheduler will see to it.
//! Told: Can two tasks send to the same client at the same time?
        member.outbox.borrow_mut().push_back(line.to_vec());
        self.scheduler.submit_task(sender(Rc::clone(member)));
