//! The scripts, each with what they share put before it.

use ::redis::Script;

pub(super) struct Scripts {
    pub add: Script,
    pub step: Script,
    pub extend: Script,
    pub move_: Script,
    pub gate: Script,
    pub counts: Script,
    pub budget: Script,
    pub wake: Script,
}

impl Scripts {
    pub(super) fn new() -> Scripts {
        Scripts {
            add: of_shard(include_str!("scripts/add.lua")),
            step: of_shard(include_str!("scripts/step.lua")),
            extend: of_shard(include_str!("scripts/extend.lua")),
            move_: of_shard(include_str!("scripts/move.lua")),
            gate: of_shard(include_str!("scripts/gate.lua")),
            counts: of_shard(include_str!("scripts/counts.lua")),
            budget: Script::new(include_str!("scripts/budget.lua")),
            wake: wake(),
        }
    }
}

pub(super) fn wake() -> Script {
    Script::new(include_str!("scripts/wake.lua"))
}

fn of_shard(own: &str) -> Script {
    Script::new(&[include_str!("scripts/shard.lua"), own].concat())
}
