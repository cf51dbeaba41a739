//! What goes wrong: receivers, nodes, stores and clocks.

use crate::network::TEMPERS;
use crate::node::Node;
use crate::store::Mood;

use super::World;

impl World {
    /// A node that runs.
    pub(super) fn some_node(&self) -> Option<&Node> {
        let alive: Vec<_> = self.nodes.iter().filter(|node| node.is_alive()).collect();
        self.dice.pick(&alive).copied()
    }

    pub(super) fn change_temper(&self) {
        let urls: Vec<_> = self.model.lock().hooks.iter().map(|hook| hook.url.clone()).collect();
        if let (Some(url), Some(temper)) = (self.dice.pick(&urls), self.dice.pick(&TEMPERS)) {
            self.trace.note(format_args!("{url} is {temper:?}"));
            self.network.set_temper(url, *temper);
        }
    }

    pub(super) async fn crash_or_start(&mut self) -> anyhow::Result<()> {
        if !self.weather.crashes {
            return Ok(());
        }
        let number = usize::try_from(self.dice.below(self.nodes.len() as u64))?;
        if self.nodes[number].is_alive() {
            let at = self.trace.note(format_args!("n{number} crashes"));
            self.nodes[number].crash();
            self.model.lock().crashed(number, at);
            self.crashes += 1;
            self.run_tasks().await;
            if self.dice.in_thousand(700) {
                self.start(number).await?;
            }
            return Ok(());
        }
        self.start(number).await
    }

    pub(super) async fn start(&mut self, number: usize) -> anyhow::Result<()> {
        self.trace.note(format_args!("n{number} starts"));
        self.nodes[number].start().await
    }

    pub(super) fn change_mood(&self) {
        if !self.weather.store_faults {
            return;
        }
        if let Some(node) = self.some_node() {
            let trouble = self.dice.in_thousand(600);
            let mood = Mood {
                fails_before: if trouble { self.dice.below(300) } else { 0 },
                fails_after: if trouble { self.dice.below(200) } else { 0 },
                slow: if trouble { self.dice.below(300) } else { 0 },
            };
            self.trace.note(format_args!("n{} has a store of {mood:?}", node.number));
            node.store.set_mood(mood);
        }
    }

    pub(super) fn jump(&self) {
        if !self.weather.skew {
            return;
        }
        if let Some(node) = self.some_node() {
            let furthest = [2_000, 60_000, 3_600_000][usize::try_from(self.dice.below(3)).unwrap_or(0)];
            let skew_ms = self.dice.below(2 * furthest).cast_signed() - furthest.cast_signed();
            self.trace.note(format_args!("the clock of n{} is {skew_ms} ms off", node.number));
            node.clock.set_skew(skew_ms);
        }
    }
}
