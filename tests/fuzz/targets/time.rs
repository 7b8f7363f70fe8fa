//! Moments: what is written is read again, and none is read as another.
#![no_main]

use git_keyless::format::time::Time;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (i64, u64, &str)| {
    let (seconds, millis, text) = input;
    if let Ok(time) = Time::from_seconds(seconds) {
        assert_eq!((time.seconds(), Time::parse(&time.to_string())), (seconds, Ok(time)));
    }
    let times = [Time::from_millis(millis), Time::parse(text), Time::parse_generalized(text)];
    for time in times.into_iter().flatten() {
        assert_eq!(Time::parse(&time.to_string()), Ok(time));
        let _ = (time.since_unix(), time.date());
    }
});
