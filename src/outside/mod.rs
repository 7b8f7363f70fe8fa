//! Touches the world: bytes in, bytes out. Nothing in here judges.
