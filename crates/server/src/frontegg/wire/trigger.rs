//! Triggers, in the three generations that Frontegg's clients still send, and their statuses.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_app::Problem;
use tidings_app::publish::EventInput;
use tidings_model::{EventId, EventKey};
use utoipa::ToSchema;

use super::members;

/// The channel that Tidings offers, among those that Frontegg names.
const WEBHOOK_CHANNEL: &str = "webhook";

/// A trigger, whatever its generation.
#[derive(Debug)]
pub(crate) struct Trigger<'a> {
    event_key: Cow<'a, str>,
    payload: Cow<'a, [u8]>,
    for_webhooks: bool,
    /// The member that the payload came in.
    payload_name: &'static str,
}

impl Trigger<'_> {
    /// What the verb takes.
    pub(crate) fn input<'a>(&'a self, tenant_id: Option<&'a str>) -> EventInput<'a> {
        EventInput {
            event_key: &self.event_key,
            payload: &self.payload,
            tenant_id,
            user_id: None,
            application_id: None,
            for_webhooks: self.for_webhooks,
            payload_name: self.payload_name,
        }
    }
}

/// The first generation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TriggerV1<'a> {
    /// A key of the catalogue.
    #[serde(borrow)]
    #[schema(value_type = String, example = "frontegg.user.created")]
    event_key: Cow<'a, str>,
    /// What webhooks get.
    #[serde(borrow)]
    #[schema(value_type = Object)]
    metadata: &'a RawValue,
    /// Channels; only `webhook` has receivers here.
    #[serde(borrow)]
    #[schema(value_type = Vec<String>, min_items = 1, example = json!(["webhook"]))]
    channels: Vec<Cow<'a, str>>,
}

/// The second generation: what a channel gets can differ from the properties.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TriggerV2<'a> {
    /// A key of the catalogue.
    #[serde(borrow)]
    #[schema(value_type = String, example = "frontegg.user.created")]
    event_key: Cow<'a, str>,
    /// What channels get.
    #[serde(borrow)]
    #[schema(value_type = Object)]
    properties: &'a RawValue,
    /// Channels by name: true, or what the channel gets instead of members of the properties. Only `webhook` has receivers here.
    #[serde(borrow)]
    #[schema(value_type = Object, example = json!({"webhook": true}))]
    channels: BTreeMap<String, &'a RawValue>,
}

/// The third generation: no channel is chosen, webhooks always get the data.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TriggerV3<'a> {
    /// A key of the catalogue.
    #[serde(borrow)]
    #[schema(value_type = String, example = "frontegg.user.created")]
    event_key: Cow<'a, str>,
    /// What webhooks get.
    #[serde(borrow)]
    #[schema(value_type = Object)]
    data: &'a RawValue,
}

fn bytes(raw: &RawValue) -> Cow<'_, [u8]> {
    Cow::Borrowed(raw.get().as_bytes())
}

fn some_channel(any: bool) -> Result<(), Problem> {
    if any {
        return Ok(());
    }
    Err(Problem::field("channels", "at least one channel has to be given"))
}

impl<'a> TryFrom<TriggerV1<'a>> for Trigger<'a> {
    type Error = Problem;

    fn try_from(trigger: TriggerV1<'a>) -> Result<Self, Problem> {
        some_channel(!trigger.channels.is_empty())?;
        Ok(Self {
            event_key: trigger.event_key,
            payload: bytes(trigger.metadata),
            for_webhooks: trigger.channels.iter().any(|channel| channel == WEBHOOK_CHANNEL),
            payload_name: "metadata",
        })
    }
}

impl<'a> TryFrom<TriggerV2<'a>> for Trigger<'a> {
    type Error = Problem;

    fn try_from(trigger: TriggerV2<'a>) -> Result<Self, Problem> {
        let TriggerV2 {
            event_key,
            properties,
            channels,
        } = trigger;
        let asked = |raw: &&RawValue| !matches!(raw.get(), "false" | "null");
        some_channel(channels.values().any(asked))?;
        let webhook = channels.get(WEBHOOK_CHANNEL).copied().filter(asked);
        let payload = match webhook {
            Some(raw) if raw.get().starts_with('{') => {
                let merged = members::merged(properties, raw);
                Cow::Owned(merged.map_err(|_| Problem::field("properties", "has to be a JSON object"))?)
            }
            Some(raw) if raw.get() != "true" && !is_empty_array(raw) => {
                return Err(Problem::field("channels.webhook", "has to be true or an object"));
            }
            Some(_) | None => bytes(properties),
        };
        Ok(Self {
            event_key,
            payload,
            for_webhooks: webhook.is_some(),
            payload_name: "properties",
        })
    }
}

/// PHP writes an object without members as `[]`.
fn is_empty_array(raw: &RawValue) -> bool {
    let inner = raw.get().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.trim().is_empty())
}

impl<'a> From<TriggerV3<'a>> for Trigger<'a> {
    fn from(trigger: TriggerV3<'a>) -> Self {
        Self {
            event_key: trigger.event_key,
            payload: bytes(trigger.data),
            for_webhooks: true,
            payload_name: "data",
        }
    }
}

/// The answer to a trigger.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Triggered {
    /// The event's id.
    #[schema(value_type = String, example = "evt_1hf8wz3m60000")]
    pub(crate) event_id: EventId,
}

/// How far an event is in one channel.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ChannelState {
    /// Something is still to be delivered.
    Pending,
    /// Everything arrived, or nobody wanted it.
    Succeeded,
    /// Something was given up.
    Failed,
}

/// How far an event is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventStatus {
    /// Its key.
    #[schema(value_type = String)]
    event_key: EventKey,
    /// Its id.
    #[schema(value_type = String)]
    event_id: EventId,
    /// How far it is in each channel.
    channels: Channels,
}

#[derive(Debug, Serialize, ToSchema)]
struct Channels {
    /// The one channel that has receivers here.
    webhook: ChannelStatus,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChannelStatus {
    /// How far it is.
    status: ChannelState,
    /// Always empty.
    error_metadata: ErrorMetadata,
}

/// Frontegg says something here for e-mail, SMS and Slack only.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorMetadata {}

impl EventStatus {
    /// The status of an event whose webhooks are that far.
    pub(crate) fn new(event_id: EventId, event_key: EventKey, status: ChannelState) -> Self {
        let webhook = ChannelStatus {
            status,
            error_metadata: ErrorMetadata {},
        };
        Self {
            event_key,
            event_id,
            channels: Channels { webhook },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(text: &str) -> Result<(String, bool), String> {
        let trigger: TriggerV2<'_> = serde_json::from_str(text).unwrap();
        let trigger = Trigger::try_from(trigger).map_err(|problem| problem.detail)?;
        Ok((String::from_utf8(trigger.payload.into_owned()).unwrap(), trigger.for_webhooks))
    }

    #[test]
    fn webhooks_get_the_properties_and_what_their_channel_adds() {
        let cases = [
            ("true", r#"{"title":"T","id":7}"#, true),
            (r#"{"id":8,"x":1}"#, r#"{"title":"T","id":8,"x":1}"#, true),
            ("{}", r#"{"title":"T","id":7}"#, true),
            ("[ ]", r#"{"title":"T","id":7}"#, true),
            ("false", r#"{"title":"T","id":7}"#, false),
            ("null", r#"{"title":"T","id":7}"#, false),
        ];
        for (channel, payload, for_webhooks) in cases {
            let text = format!(r#"{{"eventKey":"k","properties":{{"title":"T","id":7}},"channels":{{"bell":true,"webhook":{channel}}}}}"#);
            assert_eq!(v2(&text), Ok((payload.to_owned(), for_webhooks)), "{channel}");
        }
    }

    #[test]
    fn a_channel_that_cannot_be_read_and_no_channel_at_all_are_refused() {
        for channel in ["1", "\"x\"", "[1]"] {
            let text = format!(r#"{{"eventKey":"k","properties":{{}},"channels":{{"webhook":{channel}}}}}"#);
            assert_eq!(
                v2(&text),
                Err("channels.webhook: has to be true or an object".to_owned()),
                "{channel}"
            );
        }
        for channels in ["{}", r#"{"webhook":null,"slack":false}"#] {
            let text = format!(r#"{{"eventKey":"k","properties":{{}},"channels":{channels}}}"#);
            assert_eq!(v2(&text), Err("channels: at least one channel has to be given".to_owned()));
        }
    }
}
