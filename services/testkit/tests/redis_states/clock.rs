//! A Redis whose clock is set back or forward under the nodes.

use std::{
    fs::{File, Permissions},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
};

use switchboard_testkit::{RedisOptions, RedisServer};

use crate::drill::Drill;

/// The clock of the day, moved by the seconds in a file that both processes map. libfaketime does not work with the memory
/// allocator of redis-server. Monotonic clocks stay.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long long none, *moved = &none;
__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("MOVED_CLOCK"), O_RDONLY);
    void *at = mmap(0, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) moved = at;
}
int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = syscall(SYS_clock_gettime, clock, at);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) at->tv_sec += *moved;
    return result;
}
int gettimeofday(struct timeval *at, void *zone) {
    int result = syscall(SYS_gettimeofday, at, zone);
    at->tv_sec += *moved;
    return result;
}
time_t time(time_t *at) {
    struct timeval now;
    gettimeofday(&now, 0);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

/// The options of a redis-server with a clock that the file moves; `None` without a C compiler.
fn with_clock(folder: &Path) -> Option<(RedisOptions, File)> {
    let at = |name: &str| folder.join(name);
    let (source, library, script) = (at("clock.c"), at("clock.so"), at("redis-server"));
    std::fs::write(&source, CLOCK).unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&library, &source]);
    match compiler.status() {
        Ok(status) => assert!(status.success()),
        Err(error) => {
            println!("skipped: cc: {error}");
            return None;
        }
    }
    std::fs::write(at("moved"), [0; 8]).unwrap();
    let moved = File::options().write(true).open(at("moved")).unwrap();
    let text = format!(
        "#!/bin/sh\nMOVED_CLOCK={} LD_PRELOAD={} exec redis-server \"$@\"\n",
        at("moved").display(),
        library.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();
    let options = RedisOptions {
        program: Some(script),
        ..RedisOptions::default()
    };
    Some((options, moved))
}

async fn clock_s(redis: &RedisServer) -> i64 {
    let time: Vec<String> = redis.command(&["TIME"]).await.unwrap();
    time[0].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_of_redis_that_jumps_costs_no_send_its_delivery_and_no_peer_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let Some((options, moved)) = with_clock(folder.path()) else {
        return;
    };
    let mut drill = Drill::start(options).await;
    for (seconds, newcomer) in [(-3_600_i64, "back"), (0, "forward"), (3_600, "further")] {
        let before = clock_s(drill.redis()).await;
        drill.fault(&format!("the clock of Redis is set {newcomer}"));
        moved.write_at(&seconds.to_ne_bytes(), 0).unwrap();
        let jump = clock_s(drill.redis()).await - before;
        assert!(jump.abs() >= 3_600, "{jump}");
        drill.calls_on_one_node_go_on().await;
        drill.lasts(4.0).await;
        drill.until_ready().await;
        drill.cluster.connect(1, newcomer).await.unwrap();
        assert!(drill.records().await >= 23, "every peer has its record");
    }
    let report = drill.end(&[]).await;
    assert_eq!((report.failures(), report.ended), (0, 0));
}
