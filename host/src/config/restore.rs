//! The settings of a sink that a run was left with: their secrets, looked up again.

use serde_json::Value;

use super::reference::Expanded;
use super::setting::{Lookup, Secret};
use super::{BadInput, Config, Origin, Setting, SinkSpec};
use crate::secrets;

impl SinkSpec {
    /// With the secrets that are not kept with it: those given with a flag now, what
    /// references lead to, or what `config` has in the same place.
    ///
    /// # Errors
    ///
    /// One that is nowhere to be had.
    pub fn restored(&self, config: &Config) -> Result<Self, BadInput> {
        let mut restored = self.clone();
        for (key, setting) in &mut restored.settings {
            for secret in setting.secrets.clone() {
                let name = self.name_of(key, &secret);
                let value = self.find(key, &secret, &name, config)?;
                secrets::learn(&value);
                if let Some(slot) = setting.value.pointer_mut(&secret.pointer) {
                    *slot = value;
                }
            }
        }
        Ok(restored)
    }

    /// The secret settings that a later `host drain` has to be given: nothing that could
    /// be read again has them.
    #[must_use]
    pub fn to_be_given_again(&self) -> Vec<String> {
        let secrets = self
            .settings
            .iter()
            .flat_map(|(key, setting)| setting.secrets.iter().map(move |secret| (key, secret)));
        secrets
            .filter(|(_, secret)| {
                let given = matches!(secret.origin, Origin::Flag(_) | Origin::Option(_));
                given && secret.reference.is_none()
            })
            .map(|(key, secret)| self.name_of(key, secret))
            .collect()
    }

    /// `publish.headers.Authorization`.
    fn name_of(&self, key: &str, secret: &Secret) -> String {
        let inner = secret.pointer.replace('/', ".");
        let inner = inner.replace("~1", "/").replace("~0", "~");
        format!("{}.{key}{inner}", self.name)
    }

    fn find(
        &self,
        key: &str,
        secret: &Secret,
        name: &str,
        config: &Config,
    ) -> Result<Value, BadInput> {
        let now = config.setting(&self.name, key)?;
        let found = now.as_ref().and_then(|setting| {
            let value = setting.value.pointer(&secret.pointer)?;
            Some((value, setting.origin_of(&secret.pointer)))
        });
        let found = found.filter(|(value, _)| value.is_string() || value.is_number());
        match (&secret.reference, found) {
            (_, Some((value, Origin::Flag(_)))) => Ok(value.clone()),
            (Some(reference), _) => {
                let lookup = Lookup {
                    directory: &self.directory,
                    variables: config.variables(),
                };
                match lookup.expand(reference, &secret.origin, name)? {
                    Expanded::Resolved(text) | Expanded::Unescaped(text) => Ok(text.into()),
                    Expanded::AsWritten => Ok(reference.clone().into()),
                }
            }
            (None, Some((value, _))) => Ok(value.clone()),
            (None, None) => Err(BadInput(format!(
                "{name}: is secret, so it is not kept with the run, and no longer to be found (it was from {}); give it again with --set {name}=…",
                secret.origin
            ))),
        }
    }
}

impl Setting {
    /// Where the part at `pointer` is from, as far as that is known.
    fn origin_of(&self, pointer: &str) -> &Origin {
        self.secrets
            .iter()
            .find(|secret| secret.pointer == pointer)
            .map_or(&self.origin, |secret| &secret.origin)
    }
}
