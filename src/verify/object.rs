//! Step 1: exactly one native signature in the raw bytes, nothing ambiguous around it.

use crate::format::armor::{self, ArmorFault, MAX_ARMOR_BYTES};
use crate::format::cms::{self, Family};
use crate::format::hex;
use crate::format::object::{Fault, MAX_OBJECT_BYTES, Object, ObjectFormat};
use crate::key::{sha1_of, sha256_of};
use crate::report::Reason;

/// The bytes inside the object's one armor. Nothing is known of what they say.
pub(super) struct SoleArmor(Vec<u8>);

impl SoleArmor {
    pub(super) fn der(&self) -> &[u8] {
        &self.0
    }
}

/// `id` is computed from the bytes that are stored, where they are.
pub(super) fn verify_object(object: &Object, id: Option<&str>) -> Result<SoleArmor, Reason> {
    check_id(object, id)?;
    match object.fault() {
        Some(Fault::SeveralSignatures) => return Err(Reason::SignaturesSeveral),
        Some(Fault::UnknownHeader(name)) => return Err(Reason::SignatureHeaderUnknown(name.clone())),
        Some(Fault::TooLarge(found)) => {
            return Err(Reason::LimitExceeded { what: "bytes in the object", found: *found, limit: MAX_OBJECT_BYTES });
        }
        None => {}
    }
    if object.signature().is_empty() {
        return Err(Reason::SignatureMissing);
    }
    armor::dearmor(object.signature()).map(SoleArmor).map_err(|fault| armor_reason(fault, object.signature()))
}

/// git's name for the bytes that are stored, in hexadecimal: the hash of `kind length NUL` and the bytes. None where git
/// kept them.
pub(super) fn id(object: &Object) -> Option<String> {
    let stored = object.stored()?;
    let header = format!("{} {}\0", object.kind().name(), stored.raw.len());
    let parts = [header.as_bytes(), &stored.raw];
    Some(match stored.format {
        ObjectFormat::Sha1 => hex(&sha1_of(&parts)),
        ObjectFormat::Sha256 => hex(&sha256_of(&parts)),
    })
}

/// Other programs' armor may look as it likes: first whose it is, then how well it was written.
fn armor_reason(fault: ArmorFault, armor: &[u8]) -> Reason {
    if armor::dearmor_leniently(armor).is_some_and(|bytes| cms::family(&bytes) == Family::Foreign) {
        return Reason::NotKeyless;
    }
    match fault {
        ArmorFault::Foreign(program) => Reason::NotCms(program),
        ArmorFault::Malformed(why) => Reason::ArmorMalformed(why),
        ArmorFault::Surrounded(place) => Reason::ArmorSurrounded(place),
        ArmorFault::TooLarge(found) => Reason::LimitExceeded { what: "bytes of armor", found, limit: MAX_ARMOR_BYTES },
    }
}

/// Whoever read the object may have been given other bytes: replaced, corrupt, or a store that does not check.
fn check_id(object: &Object, id: Option<&str>) -> Result<(), Reason> {
    let asked = object.stored().and_then(|stored| stored.asked.as_deref());
    match (asked, id) {
        (Some(asked), Some(computed)) if asked != computed => {
            Err(Reason::ObjectIdMismatch { asked: asked.to_owned(), computed: computed.to_owned() })
        }
        _ => Ok(()),
    }
}
