//! Chromium, driven by its DevTools protocol over two named pipes: the browser that our program starts is the one that
//! the test presses buttons in.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::{cache, skipped};

const PATIENCE: Duration = Duration::from_secs(30);

/// What `install.sh` put there; none, and said, where it did not.
pub(super) fn installed(program: &str) -> Option<PathBuf> {
    let path = cache().join(program);
    if !path.exists() {
        skipped(&format!(
            "no {}: a login with a real browser was not tried (tests/real/login/install.sh)",
            path.display()
        ));
        return None;
    }
    Some(path)
}

/// A browser that will be started by somebody else, with [`Door::script`].
pub(super) struct Door {
    folder: PathBuf,
    pub(super) script: PathBuf,
}

impl Door {
    pub(super) fn new(folder: &Path, chromium: &Path) -> Self {
        let folder = folder.join("chromium");
        std::fs::create_dir(&folder).unwrap();
        for pipe in ["in", "out"] {
            assert!(std::process::Command::new("mkfifo").arg(folder.join(pipe)).status().unwrap().success());
        }
        let (program, place) = (chromium.display(), folder.display());
        let script = format!(
            "#!/bin/sh\nexec '{program}' --headless=new --no-sandbox --disable-gpu --no-first-run --disable-sync \
             --disable-background-networking --no-proxy-server --remote-debugging-pipe --window-size=900,700 \
             '--user-data-dir={place}/profile' \"$1\" 3<'{place}/in' 4>'{place}/out'\n"
        );
        let path = folder.join("browser");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder, script: path }
    }

    /// Waits until it was started, and takes its first page.
    pub(super) fn enter(&self) -> Browser {
        // Each end opens when Chromium opens the other.
        let to = OpenOptions::new().write(true).open(self.folder.join("in")).unwrap();
        let from = File::open(self.folder.join("out")).unwrap();
        let mut browser = Browser { to, from, read: Vec::new(), asked: 0, session: None };
        let page = wait_for(|| {
            let targets = browser.ask("Target.getTargets", json!({}));
            let targets = targets["targetInfos"].as_array().unwrap().clone();
            targets.into_iter().find(|target| target["type"] == "page" && target["url"] != "about:blank")
        });
        let target = json!({ "targetId": page["targetId"], "flatten": true });
        browser.session = Some(browser.ask("Target.attachToTarget", target)["sessionId"].as_str().unwrap().to_owned());
        browser
    }
}

/// One page of it.
pub(super) struct Browser {
    to: File,
    from: File,
    read: Vec<u8>,
    asked: u64,
    session: Option<String>,
}

impl Browser {
    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        let answer = self.try_ask(method, parameters);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_ask(&mut self, method: &str, parameters: Value) -> Result<Value, Value> {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let message = self.message();
            if message["id"] == self.asked {
                return if message["error"].is_null() {
                    Ok(message["result"].clone())
                } else {
                    Err(message["error"].clone())
                };
            }
        }
    }

    fn message(&mut self) -> Value {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == 0) {
                let rest = self.read.split_off(end + 1);
                let message = std::mem::replace(&mut self.read, rest);
                return serde_json::from_slice(&message[..end]).unwrap();
            }
            let mut bytes = [0; 1 << 16];
            let length = self.from.read(&mut bytes).unwrap();
            assert!(length > 0, "Chromium has gone");
            self.read.extend_from_slice(&bytes[..length]);
        }
    }

    /// What a script on the page gives; null while the page changes.
    pub(super) fn evaluate(&mut self, script: &str) -> Value {
        let parameters = json!({ "expression": script, "returnByValue": true });
        self.try_ask("Runtime.evaluate", parameters).map_or(Value::Null, |answer| answer["result"]["value"].clone())
    }

    /// Waits until `script` is true on the page.
    pub(super) fn wait(&mut self, script: &str) {
        self.until(|browser| (browser.evaluate(script) == json!(true)).then_some(()), script)
    }

    /// The page's words, when it has these.
    pub(super) fn text_with(&mut self, part: &str) -> String {
        let found = |browser: &mut Self| {
            let text = browser.evaluate("document.body && document.body.innerText");
            text.as_str().filter(|text| text.contains(part)).map(str::to_owned)
        };
        self.until(found, part)
    }

    /// Waits, and shows the page when nothing comes of it.
    fn until<T>(&mut self, mut found: impl FnMut(&mut Self) -> Option<T>, what: &str) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            if began.elapsed() > PATIENCE {
                let page = self.evaluate("location.href + ' ' + document.documentElement.innerText");
                panic!("no {what} on {page}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a screen reader is told of, role and name by role and name.
    pub(super) fn read_aloud(&mut self) -> Vec<(String, String)> {
        let tree = self.ask("Accessibility.getFullAXTree", json!({}));
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] != true);
        nodes.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }

    /// A picture of the page, light or dark, for `$GIT_KEYLESS_SCREENSHOTS`; never empty.
    pub(super) fn picture(&mut self, scheme: &str, name: &str) -> Vec<u8> {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", media);
        let picture = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        let png = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        if let Some(folder) = std::env::var_os("GIT_KEYLESS_SCREENSHOTS") {
            std::fs::write(Path::new(&folder).join(format!("{name}-{scheme}.png")), &png).unwrap();
        }
        png
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session = None;
        self.asked += 1;
        let _ = self.to.write_all(format!("{}\0", json!({ "id": self.asked, "method": "Browser.close" })).as_bytes());
        // Until it has gone: its folder goes next.
        let _ = std::io::copy(&mut self.from, &mut std::io::sink());
    }
}

pub(super) fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "nothing came");
        std::thread::sleep(Duration::from_millis(20));
    }
}
