//! Step 1: exactly one native signature in the raw bytes, nothing ambiguous around it.

use crate::format::cms::{self, ArmorFault, Family, MAX_ARMOR_BYTES};
use crate::format::hex;
use crate::format::object::{Fault, MAX_OBJECT_BYTES, Object};
use crate::report::Reason;

/// The DER inside the one armor.
pub(super) fn check_object(object: &Object) -> Result<Vec<u8>, Reason> {
    check_id(object)?;
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
    cms::dearmor(object.signature()).map_err(|fault| armor_reason(fault, object.signature()))
}

/// Other programs' armor may look as it likes: first whose it is, then how well it was written.
fn armor_reason(fault: ArmorFault, armor: &[u8]) -> Reason {
    if cms::dearmor_leniently(armor).is_some_and(|bytes| cms::family(&bytes) == Family::Foreign) {
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
fn check_id(object: &Object) -> Result<(), Reason> {
    let Some(stored) = object.stored() else { return Ok(()) };
    let Some(asked) = &stored.asked else { return Ok(()) };
    let computed = hex(&super::object_id(object, &stored.raw, stored.format));
    if *asked == computed { Ok(()) } else { Err(Reason::ObjectIdMismatch { asked: asked.clone(), computed }) }
}
