//! Whose turn it is: owners take turns, and the webhooks of an owner share its turns, so that a customer with a thousand webhooks gets no more turns
//! than a customer with one. And how much of what is scarce one of them may hold: no more than is left for all others ([`Turns::has_share`]). A plain
//! state machine: it knows neither the time nor what a turn is used for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use tidings_model::WebhookId;

use crate::directory::Owner;

/// An owner's number, as long as it has a lane: with it, nothing has to be looked up for each event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct OwnerId(usize);

#[derive(Debug)]
struct Enrolled {
    /// Nobody: a webhook whose owner is not known takes turns for itself.
    owner: Option<Owner>,
    /// How many webhooks of the owner have a lane.
    lanes: usize,
    /// Places that these hold.
    places: usize,
    /// Those of its webhooks that had no share when it was their turn, by the places that they hold: who holds the fewest comes first.
    crowded: BTreeSet<(usize, CrowdedId, WebhookId)>,
}

/// Where a webhook stands that had no share: before those who hold as many places and came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CrowdedId(u64);

/// Places that are left to those whose owners hold few.
const FOR_LATECOMERS: usize = 256;
/// Owners that are asked whether one of their webhooks has a share now, whenever that may have changed.
const OWNERS_ASKED: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// By number.
    enrolled: Vec<Enrolled>,
    numbers: BTreeMap<Owner, OwnerId>,
    /// Numbers that nobody has any more.
    free: Vec<OwnerId>,
    waiting: Line,
    aside: Line,
    /// Owners of webhooks that have no share at the moment.
    crowded: BTreeSet<OwnerId>,
    /// The last of them that was asked whether one of its webhooks has a share now.
    asked: OwnerId,
    /// How often a webhook had no share.
    crowded_before: u64,
}

impl Turns {
    /// A lane is made: the number of its owner.
    pub(crate) fn join(&mut self, owner: Option<&Owner>) -> OwnerId {
        let known = owner.and_then(|owner| self.numbers.get(owner).copied());
        let id = known.unwrap_or_else(|| self.enrol(owner.cloned()));
        self.enrolled[id.0].lanes += 1;
        id
    }

    fn enrol(&mut self, owner: Option<Owner>) -> OwnerId {
        let id = self.free.pop().unwrap_or(OwnerId(self.enrolled.len()));
        if let Some(owner) = &owner {
            self.numbers.insert(owner.clone(), id);
        }
        let enrolled = Enrolled {
            owner,
            lanes: 0,
            places: 0,
            crowded: BTreeSet::new(),
        };
        match self.enrolled.get_mut(id.0) {
            Some(free) => *free = enrolled,
            None => self.enrolled.push(enrolled),
        }
        id
    }

    /// The number of a lane's owner, who is known now; a webhook never moves from one owner to another. `places` are those that the lane holds.
    pub(crate) fn introduce(&mut self, id: OwnerId, owner: &Owner, places: usize) -> OwnerId {
        if self.enrolled[id.0].owner.is_some() {
            return id;
        }
        let known = self.join(Some(owner));
        self.enrolled[known.0].places += places;
        self.enrolled[id.0].places -= places;
        for (_, _, webhook) in std::mem::take(&mut self.enrolled[id.0].crowded) {
            self.waiting.push(id, webhook);
        }
        self.crowded.remove(&id);
        self.leave(id);
        known
    }

    /// A lane of the owner is no more.
    pub(crate) fn leave(&mut self, id: OwnerId) {
        self.enrolled[id.0].lanes -= 1;
        self.forget_when_gone(id);
    }

    /// Forgets an owner without a lane, once nothing stands in line in its name: a webhook that was introduced late may.
    fn forget_when_gone(&mut self, id: OwnerId) {
        let enrolled = &mut self.enrolled[id.0];
        if enrolled.lanes > 0 || !self.waiting.is_without(id) || !self.aside.is_without(id) {
            return;
        }
        if let Some(owner) = enrolled.owner.take() {
            self.numbers.remove(&owner);
        }
        self.free.push(id);
    }

    /// A webhook wants a turn.
    pub(crate) fn call(&mut self, owner: OwnerId, webhook: WebhookId) {
        self.waiting.push(owner, webhook);
    }

    /// The next webhook, out of the line, and in whose turn. The turn lasts until it is [used](Turns::used): who has nothing to do with it leaves
    /// it to the next webhook of the same owner.
    pub(crate) fn next(&mut self) -> Option<(OwnerId, WebhookId)> {
        let next = self.waiting.take();
        if let Some((owner, _)) = next {
            self.forget_when_gone(owner);
        }
        next
    }

    /// The owner has used its turn: the others come first.
    pub(crate) fn used(&mut self, owner: OwnerId) {
        self.waiting.rotate(owner);
    }

    /// Whether a webhook that holds some places may have another of those that are free. Nobody holds more than are free, and of what an owner may
    /// still have, no webhook holds more than is left for the owner's others. So whoever comes late finds something, without a limit that would be
    /// too low when nobody else is there: the dynamic thresholds of Choudhury and Hahne (1998). Beside that a webhook that holds none may have one
    /// while more than [`FOR_LATECOMERS`] are free: it does not wait for those of its owner's that hang.
    pub(crate) fn has_share(&self, owner: OwnerId, held: usize, free: usize) -> bool {
        held < free.saturating_sub(self.enrolled[owner.0].places) || (held == 0 && free > FOR_LATECOMERS)
    }

    /// A webhook takes a place.
    pub(crate) fn took_place(&mut self, owner: OwnerId) {
        self.enrolled[owner.0].places += 1;
    }

    /// A webhook gives a place back, so that `free` are free: who had no share is asked again, of the same owner and of others.
    pub(crate) fn gave_place_back(&mut self, owner: OwnerId, free: usize) {
        let enrolled = &mut self.enrolled[owner.0];
        enrolled.places = enrolled.places.saturating_sub(1);
        let own = self.take_crowded(owner, free).map(|webhook| (owner, webhook));
        let other = self.next_crowded(free);
        for (owner, webhook) in own.into_iter().chain(other) {
            self.waiting.push(owner, webhook);
        }
    }

    /// A webhook that was in turn has no share while it holds so many places, and waits until it has.
    pub(crate) fn crowd(&mut self, owner: OwnerId, held: usize, webhook: WebhookId) -> CrowdedId {
        let id = CrowdedId(self.crowded_before);
        self.crowded_before += 1;
        self.enrolled[owner.0].crowded.insert((held, id, webhook));
        self.crowded.insert(owner);
        id
    }

    /// A webhook that had no share while it held so many places holds fewer now: it wants a turn again.
    pub(crate) fn uncrowd(&mut self, owner: OwnerId, held: usize, id: CrowdedId, webhook: WebhookId) {
        if self.enrolled[owner.0].crowded.remove(&(held, id, webhook)) {
            self.forget_uncrowded(owner);
            self.waiting.push(owner, webhook);
        }
    }

    /// A webhook that had no share and has one now: of the owners that have such webhooks, some are asked by turns.
    pub(crate) fn next_crowded(&mut self, free: usize) -> Option<(OwnerId, WebhookId)> {
        for _ in 0..OWNERS_ASKED.min(self.crowded.len()) {
            let next = self.crowded.range((Bound::Excluded(self.asked), Bound::Unbounded)).next();
            self.asked = *next.or_else(|| self.crowded.first())?;
            if let Some(webhook) = self.take_crowded(self.asked, free) {
                return Some((self.asked, webhook));
            }
        }
        None
    }

    /// Of an owner's webhooks without a share the one with the fewest places, when it has a share now.
    fn take_crowded(&mut self, owner: OwnerId, free: usize) -> Option<WebhookId> {
        let (held, ..) = *self.enrolled[owner.0].crowded.first()?;
        if !self.has_share(owner, held, free) {
            return None;
        }
        let (_, _, webhook) = self.enrolled[owner.0].crowded.pop_first()?;
        self.forget_uncrowded(owner);
        Some(webhook)
    }

    fn forget_uncrowded(&mut self, owner: OwnerId) {
        if self.enrolled[owner.0].crowded.is_empty() {
            self.crowded.remove(&owner);
        }
    }

    /// A webhook that was in turn may not use it now, and waits until it is [called back](Turns::call_back).
    pub(crate) fn step_aside(&mut self, owner: OwnerId, webhook: WebhookId) {
        self.aside.push(owner, webhook);
    }

    /// Has up to so many of those who stepped aside wait for a turn again, one of each owner by turns.
    pub(crate) fn call_back(&mut self, most: usize) {
        for _ in 0..most {
            let Some((owner, webhook)) = self.aside.take() else {
                return;
            };
            self.aside.rotate(owner);
            self.waiting.push(owner, webhook);
        }
    }
}

/// Webhooks in the order in which they come: one of each owner by turns.
#[derive(Debug, Default)]
struct Line {
    /// The owners of those in line, each once.
    owners: VecDeque<OwnerId>,
    /// By owner's number.
    webhooks: Vec<VecDeque<WebhookId>>,
}

impl Line {
    fn push(&mut self, owner: OwnerId, webhook: WebhookId) {
        if self.webhooks.len() <= owner.0 {
            self.webhooks.resize_with(owner.0 + 1, VecDeque::new);
        }
        let own = &mut self.webhooks[owner.0];
        if own.is_empty() {
            self.owners.push_back(owner);
        }
        own.push_back(webhook);
    }

    /// The first webhook of the first owner, who stays first as long as it has another in line.
    fn take(&mut self) -> Option<(OwnerId, WebhookId)> {
        let owner = *self.owners.front()?;
        let own = &mut self.webhooks[owner.0];
        let webhook = own.pop_front()?;
        if own.is_empty() {
            self.owners.pop_front();
        }
        Some((owner, webhook))
    }

    /// Puts an owner who is first behind all others.
    fn rotate(&mut self, owner: OwnerId) {
        if self.owners.front() == Some(&owner) {
            self.owners.rotate_left(1);
        }
    }

    fn is_without(&self, owner: OwnerId) -> bool {
        self.webhooks.get(owner.0).is_none_or(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use tidings_model::{EnvironmentId, Timestamp};

    use super::*;

    fn owner(environment: u8, tenant: Option<&str>) -> Owner {
        Owner {
            environment: EnvironmentId::from_chance([environment; 16]),
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
        }
    }

    fn webhook(number: u16) -> WebhookId {
        WebhookId::new(Timestamp::from_seconds(1_700_000_000), number)
    }

    /// Lanes of one owner, all of which want a turn.
    fn called(turns: &mut Turns, owner: Option<&Owner>, numbers: impl IntoIterator<Item = u16>) -> OwnerId {
        let ids = numbers.into_iter().map(|number| {
            let id = turns.join(owner);
            turns.call(id, webhook(number));
            id
        });
        ids.last().unwrap()
    }

    /// Who has the next turns, when everybody uses them and wants another.
    fn turns_taken(turns: &mut Turns, count: usize) -> Vec<WebhookId> {
        let turn = |_| {
            let (owner, webhook) = turns.next().unwrap();
            turns.used(owner);
            turns.call(owner, webhook);
            webhook
        };
        (0..count).map(turn).collect()
    }

    fn webhooks<const N: usize>(numbers: [u16; N]) -> Vec<WebhookId> {
        numbers.map(webhook).to_vec()
    }

    #[test]
    fn a_tenant_with_many_webhooks_gets_no_more_turns_than_one_with_a_single_webhook() {
        let mut turns = Turns::default();
        called(&mut turns, Some(&owner(1, Some("large"))), 1..=1_000);
        called(&mut turns, Some(&owner(1, Some("small"))), [2_000]);
        let taken = turns_taken(&mut turns, 2_000);
        assert!(taken.iter().skip(1).step_by(2).all(|taken| *taken == webhook(2_000)));
    }

    #[test]
    fn the_webhooks_of_an_owner_share_its_turns_evenly() {
        let mut turns = Turns::default();
        called(&mut turns, Some(&owner(1, Some("a"))), [1, 2, 3]);
        called(&mut turns, Some(&owner(1, Some("b"))), [4, 5]);
        assert_eq!(turns_taken(&mut turns, 8), webhooks([1, 4, 2, 5, 3, 4, 1, 5]));
    }

    #[test]
    fn a_tenant_the_same_tenant_elsewhere_and_the_environment_itself_are_owners_of_their_own() {
        let mut turns = Turns::default();
        called(&mut turns, Some(&owner(1, Some("a"))), [1, 2]);
        called(&mut turns, Some(&owner(2, Some("a"))), [3]);
        called(&mut turns, Some(&owner(1, None)), [4]);
        assert_eq!(turns_taken(&mut turns, 6), webhooks([1, 3, 4, 2, 3, 4]));
    }

    #[test]
    fn a_turn_that_a_webhook_has_no_use_for_goes_to_the_next_of_the_same_owner() {
        let mut turns = Turns::default();
        called(&mut turns, Some(&owner(1, Some("a"))), [1, 2]);
        called(&mut turns, Some(&owner(1, Some("b"))), [3, 4]);
        assert_eq!(turns.next().map(|(_, next)| next), Some(webhook(1)));
        assert_eq!(turns_taken(&mut turns, 4), webhooks([2, 3, 2, 4]));
    }

    #[test]
    fn who_is_called_joins_the_end_of_the_line() {
        let mut turns = Turns::default();
        let first = called(&mut turns, Some(&owner(1, Some("a"))), [1]);
        called(&mut turns, Some(&owner(1, Some("b"))), [2]);
        assert_eq!(turns.next(), Some((first, webhook(1))));
        turns.used(first);
        turns.call(first, webhook(1));
        assert_eq!(turns_taken(&mut turns, 3), webhooks([2, 1, 2]));
    }

    #[test]
    fn of_those_who_stepped_aside_every_owner_gets_one_back_before_another_gets_two() {
        let mut turns = Turns::default();
        called(&mut turns, Some(&owner(1, Some("large"))), 1..=100);
        called(&mut turns, Some(&owner(1, Some("small"))), [200]);
        while let Some((owner, webhook)) = turns.next() {
            turns.step_aside(owner, webhook);
        }
        turns.call_back(3);
        assert_eq!(turns_taken(&mut turns, 3), webhooks([1, 200, 2]));
        turns.call_back(1_000);
        let mut back = turns_taken(&mut turns, 2 * 100);
        back.sort_unstable();
        back.dedup();
        assert_eq!(back.len(), 101, "none is lost");
    }

    #[test]
    fn a_webhook_takes_turns_for_itself_until_its_owner_is_known() {
        let mut turns = Turns::default();
        let large = owner(1, Some("large"));
        called(&mut turns, Some(&large), [1, 2]);
        let alone = called(&mut turns, None, [3]);
        called(&mut turns, None, [4]);
        assert_eq!(turns_taken(&mut turns, 6), webhooks([1, 3, 4, 2, 3, 4]));

        let known = turns.introduce(alone, &large, 0);
        assert_eq!(known, turns.introduce(known, &large, 0), "once is enough");
        assert_eq!(turns.next().map(|(_, next)| next), Some(webhook(1)));
        turns.used(known);
        turns.call(known, webhook(1));
        assert_eq!(turns.next(), Some((alone, webhook(3))), "it keeps its place");
        turns.used(alone);
        turns.call(known, webhook(3));
        assert_eq!(turns_taken(&mut turns, 6), webhooks([4, 2, 4, 1, 4, 3]));
        assert_eq!(turns.free, [alone]);
    }

    /// Has the webhooks of an owner take places of so many, until none of them may have another; how many each of them holds.
    fn places_taken(turns: &mut Turns, owner: OwnerId, webhooks: usize, free: &mut usize) -> Vec<usize> {
        let mut held = vec![0; webhooks];
        let mut more = true;
        while more {
            more = false;
            for held in &mut held {
                if turns.has_share(owner, *held, *free) {
                    turns.took_place(owner);
                    (*held, *free, more) = (*held + 1, *free - 1, true);
                }
            }
        }
        held
    }

    #[test]
    fn nobody_holds_more_places_than_are_left_for_all_others() {
        let mut turns = Turns::default();
        let mut free = 1_000;
        for number in 1..=9 {
            let id = turns.join(Some(&owner(number, None)));
            let held: usize = places_taken(&mut turns, id, 100, &mut free).into_iter().sum();
            assert!(held >= free / 2, "owner {number} holds {held} places, and {free} are free");
            assert!(held <= free + 1, "owner {number} holds {held} places, and {free} are free");
        }
        assert!(free >= 1);
    }

    #[test]
    fn no_webhook_holds_more_places_than_are_left_for_its_owners_others() {
        let mut turns = Turns::default();
        let mut free = 1_000;
        let id = turns.join(Some(&owner(1, None)));
        assert_eq!(places_taken(&mut turns, id, 1, &mut free), [334]);
        assert_eq!(places_taken(&mut turns, id, 1, &mut free), [111]);
        assert!(turns.has_share(id, 0, free));
    }

    #[test]
    fn a_webhook_without_a_place_may_have_one_however_much_its_owner_holds() {
        let mut turns = Turns::default();
        let id = turns.join(Some(&owner(1, None)));
        (0..2_000).for_each(|_| turns.took_place(id));
        assert!(turns.has_share(id, 0, FOR_LATECOMERS + 1));
        assert!(!turns.has_share(id, 1, FOR_LATECOMERS + 1));
        assert!(!turns.has_share(id, 0, FOR_LATECOMERS));
    }

    #[test]
    fn who_has_no_share_waits_until_there_is_one_the_fewest_places_first() {
        let mut turns = Turns::default();
        let id = turns.join(Some(&owner(1, None)));
        turns.took_place(id);
        turns.took_place(id);
        for (held, number) in [(1, 3), (1, 1), (0, 4), (2, 5)] {
            turns.crowd(id, held, webhook(number));
        }
        turns.gave_place_back(id, 1);
        assert_eq!(turns.next(), None, "one place is free and one is held: that is no share");
        turns.gave_place_back(id, 2);
        assert_eq!(turns.next(), Some((id, webhook(4))), "who holds the fewest places");
        assert_eq!(turns.next(), Some((id, webhook(3))), "who came first");
        assert_eq!(turns.next(), None);
        assert_eq!(turns.next_crowded(2), Some((id, webhook(1))));
        assert_eq!(turns.next_crowded(2), None);
    }

    #[test]
    fn places_that_one_owner_gives_back_are_offered_to_others() {
        let mut turns = Turns::default();
        let (busy, crowded) = (owner(1, Some("busy")), owner(1, Some("crowded")));
        let (busy, crowded) = (turns.join(Some(&busy)), turns.join(Some(&crowded)));
        for owner in [busy, crowded, crowded] {
            turns.took_place(owner);
        }
        turns.crowd(crowded, 1, webhook(2));
        let second = turns.crowd(crowded, 1, webhook(3));
        turns.gave_place_back(busy, 4);
        assert_eq!(turns.next(), Some((crowded, webhook(2))));
        assert_eq!(turns.next(), None);
        turns.uncrowd(crowded, 1, second, webhook(3));
        assert_eq!(turns.next(), Some((crowded, webhook(3))), "it holds fewer than it did");
        assert!(turns.crowded.is_empty());
    }

    #[test]
    fn an_owner_without_lanes_is_forgotten() {
        let mut turns = Turns::default();
        let gone = called(&mut turns, Some(&owner(1, Some("gone"))), [1, 2]);
        turns.leave(gone);
        assert_eq!(turns_taken(&mut turns, 2), webhooks([1, 2]));
        while turns.next().is_some() {}
        turns.leave(gone);
        assert!(turns.numbers.is_empty());

        let next = called(&mut turns, Some(&owner(1, Some("next"))), [3]);
        assert_eq!((next, turns.enrolled.len()), (gone, 1), "its number is given to another");
        assert_eq!(turns_taken(&mut turns, 1), webhooks([3]));
    }
}
