#!/usr/bin/env python3
"""What git pays for us: wall time, CPU and memory beside programs that do less, as ratios within one run.

run.py PROGRAM OBJECT TRUSTED_ROOT [CALLS]            verifying: one good commit (raw bytes)
run.py --sign PROGRAM GITCONFIG [CALLS]               signing: GITCONFIG names services, root and token

Calls alternate between the programs, so that a noisy neighbour hits all of them; medians are compared. Needs cc, and
ssh-keygen for the comparison with SSH.
"""
import os, resource, shutil, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))


def once(args, env, cwd, data=None):
    """Wall and CPU milliseconds of one call and its children."""
    # For writing alone: a signature that goes into what subprocess.DEVNULL is would be taken for one to a closed stream.
    with tempfile.TemporaryFile() as stdin, open(os.devnull, "wb") as nowhere:
        stdin.write(data or b"")
        stdin.seek(0)
        start = time.perf_counter()
        child = subprocess.Popen(args, env=env, cwd=cwd, stdin=stdin, stdout=nowhere, stderr=nowhere)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{args} failed with {status}")
    return wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3


def peak(args, env, cwd, data=None):
    """Peak resident megabytes of one call, its largest child included."""
    file = env["HOME"] + "/peak.kb"
    subprocess.run([env["HOME"] + "/peak", file, *args], env=env, cwd=cwd, input=data or b"", capture_output=True, check=True)
    return int(open(file).read()) / 1024


def compare(title, calls, runs):
    """`calls`: name -> arguments of one call. The first name is what the others are divided by."""
    found = {name: [] for name in calls}
    memory = {name: peak(*call) for name, call in calls.items()}
    for _ in range(runs):
        for name, call in calls.items():
            found[name].append(once(*call))
    print(f"\n{title} ({runs} calls each, medians)")
    base = None
    for name, rows in found.items():
        wall, cpu = (statistics.median(row[k] for row in rows) for k in (0, 1))
        base = base or wall
        print(f"  {name:<34} {wall:8.2f} ms wall {cpu:8.2f} ms CPU {memory[name]:6.1f} MB   {wall / base:5.2f} x")


def room():
    home = tempfile.mkdtemp(prefix="bench")
    env = {"PATH": os.environ["PATH"], "HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", "GIT_AUTHOR_NAME": "a",
           "GIT_AUTHOR_EMAIL": "alice@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "alice@example.com"}
    git = lambda *args, data=None: subprocess.run(["git", *args], env=env, cwd=home + "/w", check=True, input=data, capture_output=True).stdout.decode().strip()
    os.mkdir(home + "/w")
    for name in ("nothing", "peak"):
        subprocess.run(["cc", "-O2", "-o", f"{home}/{name}", f"{HERE}/{name}.c"], check=True)
    git("init", "-q")
    return home, env, git


def ssh(home, env, git):
    """A commit that ssh signed; none without ssh-keygen."""
    if not shutil.which("ssh-keygen"):
        return None
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home + "/key"], check=True)
    open(home + "/signers", "w").write("alice@example.com " + open(home + "/key.pub").read())
    git("config", "gpg.ssh.allowedSignersFile", home + "/signers")
    git("-c", "gpg.format=ssh", "-c", f"user.signingKey={home}/key", "commit", "-q", "-S", "--allow-empty", "-m", "x")
    return git("rev-parse", "HEAD")


def verifying(program, commit, root, runs):
    home, env, git = room()
    nothing, root = home + "/nothing", os.path.abspath(root)
    git("config", "keyless.trustedRoot", root)
    ours = git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=open(commit, "rb").read())
    with_program = lambda path, id: (["git", "-c", f"gpg.x509.program={path}", "verify-commit", id], env, home + "/w")
    calls = {"git, a verifier that does nothing": with_program(nothing, ours), "git, git-keyless": with_program(os.path.abspath(program), ours)}
    other = ssh(home, env, git)
    if other:
        calls["git, ssh-keygen"] = (["git", "verify-commit", other], env, home + "/w")
    compare("git verify-commit", calls, runs)
    raw = open(commit, "rb").read()
    compare("the programs alone", {
        "nothing": ([nothing], env, home + "/w", raw),
        "git-keyless verify --object": ([os.path.abspath(program), "verify", "--trusted-root", root, "--object", "-"], env, home + "/w", raw),
        "git-keyless --version": ([os.path.abspath(program), "--version"], env, home + "/w"),
    }, runs)
    shutil.rmtree(home)


def signing(program, config, runs):
    home, env, git = room()
    git("config", "include.path", os.path.abspath(config))
    payload = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor a <alice@example.com> 1 +0000\n\nx\n"
    calls = {"git-keyless (CPU is its own share)": ([os.path.abspath(program), "--status-fd=2", "-bsau", "k"], env, home + "/w", payload)}
    if ssh(home, env, git):
        calls["ssh-keygen -Y sign"] = (["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", home + "/key"], env, home + "/w", payload)
    commit = lambda *args: (["git", *args, "commit", "-q", "--allow-empty", "-m", "x"], env, home + "/w")
    ours = ["-c", "commit.gpgSign=true", "-c", "gpg.format=x509", "-c", f"gpg.x509.program={os.path.abspath(program)}"]
    calls["git commit, unsigned"] = commit("-c", "commit.gpgSign=false")
    calls["git commit, git-keyless"] = commit(*ours)
    if shutil.which("ssh-keygen"):
        calls["git commit, ssh"] = commit("-c", "commit.gpgSign=true", "-c", "gpg.format=ssh", "-c", f"user.signingKey={home}/key")
    compare("signing", calls, runs)
    shutil.rmtree(home)


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    args = sys.argv[1:]
    if args[:1] == ["--sign"] and len(args) >= 3:
        signing(args[1], args[2], int(args[3]) if len(args) > 3 else 20)
    elif len(args) >= 3:
        verifying(*args[:3], int(args[3]) if len(args) > 3 else 100)
    else:
        sys.exit(__doc__)


main()
