//! The text around a signature that git keeps (RFC 7468).

use super::Malformed;

/// The label that makes git call the X.509 program.
pub const ARMOR_LABEL: &str = "SIGNED MESSAGE";
const BEGIN: &str = "-----BEGIN SIGNED MESSAGE-----";
const END: &str = "-----END SIGNED MESSAGE-----";
/// Most bytes of armor; a signature of ours has 3 to 6 kB, corporate ones with chains up to 20.
pub const MAX_ARMOR_BYTES: usize = 256 << 10;

/// What is wrong with an armor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArmorFault {
    /// It belongs to another program: OpenPGP or SSH.
    Foreign(&'static str),
    /// Not one PEM block with our label.
    Malformed(String),
    /// Bytes before its first or behind its last line.
    Surrounded(&'static str),
    /// More bytes than [`MAX_ARMOR_BYTES`].
    TooLarge(usize),
}

/// The DER inside one armor with nothing around it.
pub fn dearmor(armor: &[u8]) -> Result<Vec<u8>, ArmorFault> {
    if armor.len() > MAX_ARMOR_BYTES {
        return Err(ArmorFault::TooLarge(armor.len()));
    }
    for (begin, name) in [(&b"-----BEGIN PGP "[..], "OpenPGP"), (b"-----BEGIN SSH SIGNATURE", "SSH")] {
        if armor.starts_with(begin) {
            return Err(ArmorFault::Foreign(name));
        }
    }
    let at = |needle: &[u8]| armor.windows(needle.len()).position(|window| window == needle);
    match at(BEGIN.as_bytes()) {
        None => return Err(ArmorFault::Malformed("no BEGIN SIGNED MESSAGE line".into())),
        Some(0) => {}
        Some(_) => return Err(ArmorFault::Surrounded("before its BEGIN line")),
    }
    let end = at(END.as_bytes()).ok_or_else(|| ArmorFault::Malformed("no END SIGNED MESSAGE line".into()))? + END.len();
    let (block, rest) = armor.split_at(end);
    if !matches!(rest, b"" | b"\n") {
        return Err(ArmorFault::Surrounded("behind its END line"));
    }
    let (label, der) = der::pem::decode_vec(block).map_err(|error| ArmorFault::Malformed(error.to_string()))?;
    if label != ARMOR_LABEL {
        return Err(ArmorFault::Malformed(format!("label `{label}`")));
    }
    Ok(der)
}

/// The bytes of the first block in whatever surrounds it: only to see whose it is.
pub fn dearmor_leniently(armor: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let text = std::str::from_utf8(armor.get(..MAX_ARMOR_BYTES).unwrap_or(armor)).ok()?;
    let (_, block) = text.split_once(BEGIN)?;
    let (block, _) = block.split_once(END)?;
    let letters: String = block.split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(letters).ok()
}

/// 64 columns, LF, a final LF: without it git joins the message to the header.
pub fn armor(der: &[u8]) -> Result<String, Malformed> {
    der::pem::encode_string(ARMOR_LABEL, der::pem::LineEnding::LF, der).map_err(|error| Malformed::new("armor", error))
}
