//! Icons: sixteen-pixel strokes in the colour of the text, drawn for these pages. They say nothing to screen readers, because a word stands beside each.

use crate::markup::Markup;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Check,
    Clock,
    Retry,
    Cross,
    Pause,
    Overview,
    Hook,
    Arrow,
    Event,
    Book,
    Key,
    Gear,
    People,
    List,
    Layers,
    Menu,
    Search,
    Plus,
    Dots,
    Copy,
    Eye,
    Sun,
    Bolt,
    Trash,
    Lock,
    Node,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Check => "M3 8.5l3.2 3.2L13 5",
            Self::Clock => "M8 4.5V8l2.5 1.5M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z",
            Self::Retry => "M13.5 8A5.5 5.5 0 1 1 11.6 3.8M13.5 2v3.2h-3.2",
            Self::Cross => "M4 4l8 8M12 4l-8 8",
            Self::Pause => "M5.5 4v8M10.5 4v8",
            Self::Overview => "M2.5 13.5V8M6.2 13.5V3M9.8 13.5V6M13.5 13.5V9.5",
            Self::Hook => "M10 2.5v6.2a3.3 3.3 0 1 1-6.6 0V7.5M3.4 7.5L1.6 9.4M3.4 7.5l1.9 1.9M10 2.5h3",
            Self::Arrow => "M2.5 8h10M9 4l4 4-4 4",
            Self::Event => "M2.5 8h2.6l2-4.5 2.6 9 1.9-4.5h1.9",
            Self::Book => "M3 3h4.2c.5 0 .8.4.8.8v9c0-.6-.4-1-.9-1H3zM13 3H8.8c-.5 0-.8.4-.8.8v9c0-.6.4-1 .9-1H13z",
            Self::Key => "M9.2 6.8a3.2 3.2 0 1 0-2.4 2.4l.9.9h1.5v1.5h1.5V13H13v-2.4z",
            Self::Gear => {
                "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6l1.4 1.4M11 11l1.4 1.4M12.4 3.6L11 5M5 11l-1.4 1.4"
            }
            Self::People => {
                "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.8 13c.3-2.2 2-3.5 4.2-3.5s3.9 1.3 4.2 3.5M10.5 3.2a2.1 2.1 0 0 1 0 4M12 9.8c1.3.5 2 1.6 2.2 3.2"
            }
            Self::Node => "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.1M5 11h.1",
            Self::List => "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.1M2.5 8h.1M2.5 12h.1",
            Self::Layers => "M8 2l6 3-6 3-6-3zM2 8l6 3 6-3M2 11l6 3 6-3",
            Self::Menu => "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
            Self::Search => "M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0zM10.3 10.3l3.2 3.2",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Dots => "M3.5 8h.1M8 8h.1M12.5 8h.1",
            Self::Copy => "M5.5 5.5h7.5v7.5H5.5zM3 10.5V3h7.5",
            Self::Eye => "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6z",
            Self::Sun => {
                "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9"
            }
            Self::Bolt => "M9 1.8L3.5 9H8l-1 5.2L12.5 7H8z",
            Self::Trash => "M2.5 4h11M6 4V2.5h4V4M4 4l.7 9.5h6.6L12 4M6.6 6.5v4.5M9.4 6.5v4.5",
            Self::Lock => "M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
        }
    }
}

/// An icon.
pub(crate) fn icon(which: Icon) -> Markup {
    Markup::of("<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\" focusable=\"false\"><path d=\"")
        .html(which.path())
        .html("\"/></svg>")
}
