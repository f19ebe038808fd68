//! Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body, with a secret `whsec_<base64>`.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use switchboard_protocol::Secret;

/// The beginning of every secret.
const PREFIX: &str = "whsec_";

/// The fewest and most bytes of a secret, by the specification.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a secret was refused. It never shows the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Another form.
    #[error("a secret is `whsec_` and base64; make one with: echo whsec_$(openssl rand -base64 32)")]
    Form,
    /// Too short or too long.
    #[error("the secret has {0} bytes; it needs 24 to 64: echo whsec_$(openssl rand -base64 32)")]
    Length(usize),
}

/// A secret that signs.
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

impl SigningSecret {
    /// Reads `whsec_<base64>`.
    ///
    /// # Errors
    /// [`SecretError`] for another form or length.
    pub fn parse(secret: &Secret) -> Result<Self, SecretError> {
        let text = secret.expose().strip_prefix(PREFIX).ok_or(SecretError::Form)?;
        let bytes = STANDARD.decode(text).map_err(|_| SecretError::Form)?;
        if !BYTES.contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The value of `webhook-signature`: one signature for each secret, with a space between two. `at_s` is the value of
/// `webhook-timestamp`.
#[must_use]
pub fn sign(secrets: &[SigningSecret], id: &str, at_s: u64, body: &str) -> String {
    let signed = format!("{id}.{at_s}.{body}");
    let signatures = secrets.iter().map(|SigningSecret(key)| {
        let tag = hmac::sign(key, signed.as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<SigningSecret, SecretError> {
        SigningSecret::parse(&Secret::new(text))
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the reference libraries of Standard Webhooks.
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, at_s, body) = (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(std::slice::from_ref(&key), id, at_s, body), expected);
        let other = secret(&format!("whsec_{}", STANDARD.encode([7; 32]))).unwrap();
        let both = sign(&[other.clone(), key], id, at_s, body);
        let one = sign(&[other], id, at_s, body);
        assert_eq!(both, format!("{one} {expected}"));
    }

    #[test]
    fn secrets_of_another_form_are_refused_and_never_shown() {
        assert_eq!(
            secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap_err(),
            SecretError::Form
        );
        assert_eq!(secret("whsec_no base64").unwrap_err(), SecretError::Form);
        assert_eq!(secret("whsec_c2hvcnQ=").unwrap_err(), SecretError::Length(5));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        assert_eq!(secret(&long).unwrap_err(), SecretError::Length(65));
        let shown = format!("{:?}", secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        assert_eq!(shown, "Ok(<redacted>)");
    }
}
