//! The console's own stylesheet, script and icon, served from the binary under names that change with their content.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

struct Asset {
    stem: &'static str,
    extension: &'static str,
    content_type: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        stem: "console",
        extension: "css",
        content_type: "text/css; charset=utf-8",
        content: include_str!("assets/console.css"),
    },
    Asset {
        stem: "console",
        extension: "js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("assets/console.js"),
    },
    Asset { stem: "icon", extension: "svg", content_type: "image/svg+xml", content: include_str!("assets/icon.svg") },
];

/// Name with the content's hash, and what it holds, in the order of [`ASSETS`].
static NAMED: LazyLock<[(String, &'static Asset); 3]> = LazyLock::new(|| {
    std::array::from_fn(|index| {
        let asset = &ASSETS[index];
        let hash = Sha256::digest(asset.content.as_bytes());
        let short: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        (format!("{}-{short}.{}", asset.stem, asset.extension), asset)
    })
});

pub fn stylesheet() -> String {
    format!("/assets/{}", NAMED[0].0)
}

pub fn script() -> String {
    format!("/assets/{}", NAMED[1].0)
}

pub fn favicon() -> String {
    format!("/assets/{}", NAMED[2].0)
}

/// `/assets/…`: needs no login, holds nothing of anybody.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response {
    match NAMED.iter().find(|(known, _)| *known == name) {
        Some((_, asset)) => (
            [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            asset.content,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
