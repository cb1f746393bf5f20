//! Tempting: somebody will leave soon, so wait for that.
//! Told: it should refuse, not wait
SOLVED
// NEXT
SOLVED
// NEXT
    let place = loop {
        if let Some(place) = limit.enter() {
            break place;
        }
        thread::yield_now();
    };
    thread::Builder::new().spawn(move || {
        let _place = place;
        serve();
    })?;
    Ok(())
