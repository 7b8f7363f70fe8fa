"""sigstore-python as judge, offline: a JSON list of questions in, a list of answers out, null for yes or why not.

A question: {"root", "bundle", "artifact" (files), "identity", "issuer"}.
"""
import json
import pathlib
import sys

from sigstore.errors import Error
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy


def judge(question):
    read = lambda name: pathlib.Path(question[name]).read_bytes()
    try:
        verifier = Verifier(trusted_root=TrustedRoot.from_file(question["root"]))
        identity = policy.Identity(identity=question["identity"], issuer=question["issuer"])
        verifier.verify_artifact(read("artifact"), Bundle.from_json(read("bundle")), identity)
    except Error as error:
        return f"{type(error).__name__}: {error}"


json.dump([judge(question) for question in json.load(sys.stdin)], sys.stdout)
