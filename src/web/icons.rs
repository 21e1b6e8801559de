//! The console's icons, drawn for it: 24 by 24, strokes only, coloured by the text around them.

use maud::{Markup, PreEscaped, html};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Inbox,
    Calendar,
    Plane,
    Chart,
    People,
    Plug,
    Bolt,
    Keys,
    Search,
    Filter,
    Check,
    Clock,
    Alert,
    Close,
    Left,
    Right,
    Down,
    External,
    Pause,
    Play,
    Stop,
    Download,
    Note,
    Person,
    More,
    Lock,
    Undo,
    Plus,
    Info,
    Reply,
    Trash,
    Language,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Icon::Inbox => {
                r#"<path d="M3 13l3-8h12l3 8v5a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18z"/><path d="M3 13h5.2l1.5 2.6h4.6l1.5-2.6H21"/>"#
            }
            Icon::Calendar => {
                r#"<rect x="3.5" y="5" width="17" height="15.5" rx="2.5"/><path d="M3.5 10h17M8 2.8V7M16 2.8V7"/>"#
            }
            Icon::Plane => r#"<path d="M21 3L10.5 13.5M21 3l-6.8 18-3.7-7.5L3 9.8z"/>"#,
            Icon::Chart => r#"<path d="M4 20V11M9.3 20V5M14.7 20v-6M20 20V8"/>"#,
            Icon::People => {
                r#"<circle cx="9" cy="8.2" r="3.4"/><path d="M2.8 19.6c.5-3.4 3-5.4 6.2-5.4s5.700 2 6.200 5.400M15.500 5.100a3.400 3.400 0 0 1 0 6.200M17.600 14.600c2 .7 3.300 2.500 3.600 5"/>"#
            }
            Icon::Plug => r#"<path d="M9 3v5M15 3v5M6 8h12v3.500a6 6 0 0 1-12 0zM12 17.500V21"/>"#,
            Icon::Bolt => r#"<path d="M13 3L5 13.500h5.500L10 21l8.500-11H13z"/>"#,
            Icon::Keys => {
                r#"<rect x="2.500" y="6" width="19" height="12.500" rx="2.500"/><path d="M6.500 10h.01M10.200 10h.01M13.900 10h.01M17.500 10h.01M8 14.500h8"/>"#
            }
            Icon::Search => r#"<circle cx="10.800" cy="10.800" r="6.300"/><path d="M15.500 15.500L20.500 20.500"/>"#,
            Icon::Filter => r#"<path d="M4 7h16M7 12h10M10 17h4"/>"#,
            Icon::Check => r#"<path d="M4.500 12.500l5 5L19.500 7"/>"#,
            Icon::Clock => r#"<circle cx="12" cy="12" r="8.500"/><path d="M12 7.200V12l3.200 2"/>"#,
            Icon::Alert => r#"<path d="M12 3.500L2.800 19.500h18.400z"/><path d="M12 10v4.200M12 17h.01"/>"#,
            Icon::Close => r#"<path d="M6 6l12 12M18 6L6 18"/>"#,
            Icon::Left => r#"<path d="M14.500 5.500L8 12l6.500 6.500"/>"#,
            Icon::Right => r#"<path d="M9.500 5.500L16 12l-6.500 6.500"/>"#,
            Icon::Down => r#"<path d="M6 9.500l6 6 6-6"/>"#,
            Icon::External => {
                r#"<path d="M13.500 4.500h6v6M19 5l-8.500 8.500M17.500 13.500v5a1.500 1.500 0 0 1-1.500 1.500H6A1.500 1.500 0 0 1 4.500 18.500v-10A1.500 1.500 0 0 1 6 7h5"/>"#
            }
            Icon::Pause => r#"<path d="M9 5.500v13M15 5.500v13"/>"#,
            Icon::Play => r#"<path d="M7.500 5l11 7-11 7z"/>"#,
            Icon::Stop => {
                r#"<path d="M8.300 3.500h7.400l4.800 4.800v7.400l-4.800 4.800H8.300l-4.800-4.800V8.300z"/><path d="M9 12h6"/>"#
            }
            Icon::Download => r#"<path d="M12 4v11M7.500 10.800L12 15.300l4.500-4.500M4.500 19.500h15"/>"#,
            Icon::Note => r#"<path d="M4.500 4.500h15v10l-5 5h-10z"/><path d="M14.500 19.500v-5h5M8 9h8M8 12.500h4"/>"#,
            Icon::Person => {
                r#"<circle cx="12" cy="8" r="3.800"/><path d="M4.800 20c.6-4 3.500-6.200 7.200-6.200s6.600 2.200 7.200 6.200"/>"#
            }
            Icon::More => r#"<path d="M4 7h16M4 12h16M4 17h16"/>"#,
            Icon::Lock => {
                r#"<rect x="5" y="10.500" width="14" height="9.500" rx="2"/><path d="M8 10.500V8a4 4 0 0 1 8 0v2.500"/>"#
            }
            Icon::Undo => r#"<path d="M8 5L4 9l4 4M4.500 9H14a5.500 5.500 0 0 1 0 11h-3"/>"#,
            Icon::Plus => r#"<path d="M12 5v14M5 12h14"/>"#,
            Icon::Info => r#"<circle cx="12" cy="12" r="8.500"/><path d="M12 11v5M12 8h.01"/>"#,
            Icon::Reply => r#"<path d="M10 5.500L4 11l6 5.500V13c5 0 8 1.500 10 5-.500-5.500-3.500-9-10-9z"/>"#,
            Icon::Trash => r#"<path d="M4.500 7h15M9.500 7V4.500h5V7M6.500 7l1 13h9l1-13M10 11v5.500M14 11v5.500"/>"#,
            Icon::Language => {
                r#"<circle cx="12" cy="12" r="8.500"/><path d="M3.500 12h17M12 3.500c5 5 5 12 0 17M12 3.500c-5 5-5 12 0 17"/>"#
            }
        }
    }
}

/// The icon as inline SVG, hidden from screen readers: a text always stands beside it.
pub fn icon(icon: Icon) -> Markup {
    html! {
        svg.icon viewBox="0 0 24 24" aria-hidden="true" focusable="false" { (PreEscaped(icon.path())) }
    }
}

/// The mark: two facing voices.
pub fn mark() -> Markup {
    PreEscaped(
        r##"<svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><rect width="32" height="32" rx="9" fill="#3350cf"/><path d="M7 12.500A4.500 4.500 0 0 1 11.500 8h6a4.500 4.500 0 0 1 0 9H13l-3.600 3v-3.400A4.500 4.500 0 0 1 7 12.500z" fill="#fff"/><path d="M22.300 14.200a4.400 4.400 0 0 1 .9 8.200V25.500l-3.400-2.900h-3.300a4.400 4.400 0 0 1-3.300-1.500h4.600a6.700 6.700 0 0 0 4.500-6.900z" fill="#a9b8fb"/></svg>"##
            .to_owned(),
    )
}
