//! Whose program is at the other end of a connection within this machine.

use std::net::SocketAddr;

/// Whether it is this user's own: every user of a machine can speak to its loopback. `there` is its end, `here` ours.
/// True where the system does not say: it would list the port that is open here too. Of an end that is gone already nobody
/// can say whose it was: false.
#[cfg(target_os = "linux")]
pub(super) fn is_own(there: SocketAddr, here: SocketAddr) -> bool {
    let [Ok(v4), v6] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(std::fs::read_to_string) else { return true };
    let table = v4 + &v6.unwrap_or_default();
    if !lists_port(&table, here) {
        return true;
    }
    let user = rustix::process::geteuid().as_raw();
    // Whoever became root for this command is still at the browser.
    let before_sudo = || std::env::var("SUDO_UID").ok()?.parse().ok();
    let also = if user == 0 { before_sudo() } else { None };
    owner(&table, there, here).is_some_and(|owner| owner == user || Some(owner) == also)
}

/// As [`is_own`] on Linux: nobody says.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_own(_there: SocketAddr, _here: SocketAddr) -> bool {
    true
}

/// The user id in the line of `there` (proc_pid_net(5), tcp): number, local end, remote end, state, queues, timer,
/// retransmissions, user, timeout, inode. A program may speak IPv4 through a socket of IPv6, with mapped addresses
/// (RFC 4291 section 2.5.5.2). What no program holds any more has the inode 0, and root for its user.
#[cfg(any(target_os = "linux", test))]
fn owner(table: &str, there: SocketAddr, here: SocketAddr) -> Option<u32> {
    let plain = [end(there), end(here)];
    let mapped = [end(mapped(there)), end(mapped(here))];
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|fields| {
        let [_, local, remote, _, _, _, _, user, _, inode, ..] = fields.as_slice() else { return None };
        let is_it = [&plain, &mapped].iter().any(|[there, here]| there == local && here == remote);
        (is_it && *inode != "0").then(|| user.parse().ok()).flatten()
    })
}

/// Whether somebody listens at `here` (state 0A), by this table.
#[cfg(any(target_os = "linux", test))]
fn lists_port(table: &str, here: SocketAddr) -> bool {
    let here = end(here);
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|fields| matches!(fields.as_slice(), [_, local, _, state, ..] if *local == here && *state == "0A"))
}

#[cfg(any(target_os = "linux", test))]
fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
        v6 => v6,
    }
}

/// The address in words of 32 bits as they lie in memory, then the port.
#[cfg(any(target_os = "linux", test))]
fn end(address: SocketAddr) -> String {
    let word = |octets: &[u8; 4]| format!("{:08X}", u32::from_ne_bytes(*octets));
    let words = match address.ip() {
        std::net::IpAddr::V4(ip) => word(&ip.octets()),
        std::net::IpAddr::V6(ip) => ip.octets().as_chunks().0.iter().map(word).collect(),
    };
    format!("{words}:{:04X}", address.port())
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    /// From a machine where the user 1000 asked, and root's orphan before.
    const V4: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000   501        0 30 1 ffff 100 0 0 10 0
   1: 0100007F:B26A 0100007F:9C41 01 00000000:00000000 00:00000000 00000000  1000        0 31 1 ffff 20 4 30 10 -1
   2: 0100007F:9C41 0100007F:B26A 01 00000000:00000000 00:00000000 00000000   501        0 32 1 ffff 20 4 30 10 -1
   3: 0100007F:B26C 0100007F:9C41 06 00000000:00000000 03:000016F5 00000000     0        0 0 3 ffff
";
    const V6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000001000000:B26A 00000000000000000000000001000000:9C41 01 00000000:00000000 00:00000000 00000000  1000        0 31
   1: 0000000000000000FFFF00000100007F:B26E 0000000000000000FFFF00000100007F:9C41 01 00000000:00000000 00:00000000 00000000  1000        0 33
";

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn whose_end_it_is() {
        let here = at("127.0.0.1:40001");
        assert_eq!(owner(V4, at("127.0.0.1:45674"), here), Some(1000));
        assert_eq!(owner(V4, here, at("127.0.0.1:45674")), Some(501));
        assert_eq!(owner(V4, at("127.0.0.1:45676"), here), None, "an orphan is nobody's, and not root's");
        assert_eq!(owner(V6, at("127.0.0.1:45678"), here), Some(1000), "mapped");
        assert_eq!(owner(V4, at("127.0.0.1:45675"), here), None);
        assert_eq!(owner(V4, at("127.0.0.2:45674"), here), None);
        assert_eq!(owner(V6, at("[::1]:45674"), at("[::1]:40001")), Some(1000));
        assert_eq!(owner(V6, at("127.0.0.1:45674"), here), None);
        assert_eq!(owner("", here, here), None);
        assert!(lists_port(V4, here) && !lists_port(V4, at("127.0.0.1:45674")) && !lists_port("", here));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn ones_own_connection_is_ones_own() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(address) else { continue };
            let here = listener.local_addr().unwrap();
            let stream = std::net::TcpStream::connect(here).unwrap();
            let there = stream.local_addr().unwrap();
            assert!(is_own(there, here));
            drop(stream);
            // Whatever is left of it is nobody's.
            assert!(!is_own(there, here));
            // Where not even this is told, nothing is known against anybody.
            drop(listener);
            assert!(is_own(there, here));
        }
    }
}
