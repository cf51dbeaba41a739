//! Master keys, the server's own keys, and what they seal.

use tidings_model::{SealedSecret, Timestamp, WebhookId};

use super::State;
use crate::{MasterKeyId, MasterKeyState, MasterKeyUse, NewServerKey, Reseal, SealedPlace, SealedWebhook, ServerKey, WebhookWithHealth};

/// What is kept of a master key.
pub(super) struct KeptMasterKey {
    id: MasterKeyId,
    state: MasterKeyState,
    since: Timestamp,
}

impl State {
    pub(super) fn keep_master_key(&mut self, id: MasterKeyId, since: Timestamp) -> MasterKeyId {
        if self.master_keys.is_empty() {
            let state = MasterKeyState::Current;
            self.master_keys.push(KeptMasterKey { id, state, since });
        }
        self.master_keys[0].id
    }

    pub(super) fn change_master_key(&mut self, id: MasterKeyId, since: Timestamp) -> bool {
        let Some(before) = self.master_keys.first_mut().filter(|before| before.id != id) else {
            return false;
        };
        before.state = MasterKeyState::Retiring;
        self.master_keys.retain(|key| key.id != id);
        let state = MasterKeyState::Current;
        self.master_keys.insert(0, KeptMasterKey { id, state, since });
        true
    }

    pub(super) fn retire_master_key(&mut self, id: MasterKeyId) -> bool {
        if self.sealed_with(id) > 0 {
            return false;
        }
        let retiring = |key: &&mut KeptMasterKey| key.id == id && key.state == MasterKeyState::Retiring;
        let Some(key) = self.master_keys.iter_mut().find(retiring) else {
            return false;
        };
        key.state = MasterKeyState::Retired;
        true
    }

    pub(super) fn master_keys(&self) -> Vec<MasterKeyUse> {
        let uses = self.master_keys.iter().map(|key| MasterKeyUse {
            id: key.id,
            state: key.state,
            since: key.since,
            sealed: self.sealed_with(key.id),
        });
        uses.collect()
    }

    fn sealed_with(&self, id: MasterKeyId) -> u64 {
        let of_webhooks = self.webhooks.values().flat_map(sealed_values);
        let own = self.server_keys.iter().map(|key| &key.sealed);
        of_webhooks.chain(own).filter(|sealed| sealed.key_id() == Some(id)).count() as u64
    }

    pub(super) fn sealed_webhooks(&self, but: MasterKeyId, after: Option<WebhookId>, limit: usize) -> Vec<SealedWebhook> {
        let later = self
            .webhooks
            .values()
            .filter(|held| after.is_none_or(|after| held.webhook.id > after));
        later
            .filter(|held| sealed_values(held).any(|sealed| sealed.key_id() != Some(but)))
            .take(limit)
            .map(|held| SealedWebhook {
                environment: held.webhook.environment,
                id: held.webhook.id,
                secrets: held.webhook.secrets.clone(),
                headers: held.webhook.headers.clone(),
            })
            .collect()
    }

    pub(super) fn reseal(&mut self, values: Vec<Reseal>) -> usize {
        let mut done = 0;
        for Reseal { place, from, to } in values {
            if let Some(there) = self.sealed_at(place).filter(|there| **there == from) {
                *there = to;
                done += 1;
            }
        }
        done
    }

    fn sealed_at(&mut self, place: SealedPlace) -> Option<&mut SealedSecret> {
        let webhook = match place {
            SealedPlace::Secret(id) | SealedPlace::RotatingOut(id) | SealedPlace::Headers(id) => &mut self.webhooks.get_mut(&id)?.webhook,
            SealedPlace::ServerKey(number) => {
                let key = self.server_keys.iter_mut().find(|key| key.number == number);
                return key.map(|key| &mut key.sealed);
            }
        };
        match place {
            SealedPlace::Secret(_) => webhook.secrets.current.as_mut(),
            SealedPlace::RotatingOut(_) => webhook.secrets.rotating_out.as_mut().map(|(sealed, _)| sealed),
            SealedPlace::Headers(_) => webhook.headers.as_mut(),
            SealedPlace::ServerKey(_) => None,
        }
    }

    pub(super) fn change_server_key(&mut self, new: &NewServerKey) -> bool {
        let mut of_purpose = self.server_keys.iter().filter(|key| key.purpose == new.purpose);
        let in_use = of_purpose.find(|key| key.ends_at.is_none()).map(|key| key.number);
        if in_use != new.replaces {
            return false;
        }
        for key in self.server_keys.iter_mut().filter(|key| key.purpose == new.purpose) {
            key.ends_at = Some(key.ends_at.map_or(new.older_until, |ends_at| ends_at.min(new.older_until)));
        }
        self.server_keys
            .retain(|key| key.purpose != new.purpose || key.ends_at.is_none_or(|ends_at| ends_at > new.at));
        self.server_keys_made += 1;
        self.server_keys.push(ServerKey {
            number: self.server_keys_made,
            purpose: new.purpose,
            sealed: new.sealed.clone(),
            made_at: new.at,
            ends_at: None,
        });
        true
    }
}

fn sealed_values(held: &WebhookWithHealth) -> impl Iterator<Item = &SealedSecret> {
    let secrets = &held.webhook.secrets;
    let rotating_out = secrets.rotating_out.as_ref().map(|(sealed, _)| sealed);
    [secrets.current.as_ref(), rotating_out, held.webhook.headers.as_ref()]
        .into_iter()
        .flatten()
}
