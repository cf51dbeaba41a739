//! Everything that a page loads, inside the binary. Names carry a digest of the content, so browsers keep them for good and never keep an old one.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;

use crate::state::Portal;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// In the order in which rules of the same weight go before each other.
const STYLES: &str = concat!(
    include_str!("../assets/css/tokens.css"),
    include_str!("../assets/css/ground.css"),
    include_str!("../assets/css/frame.css"),
    include_str!("../assets/css/parts.css"),
    include_str!("../assets/css/forms.css"),
    include_str!("../assets/css/pieces.css"),
    include_str!("../assets/css/narrow.css"),
    include_str!("../assets/css/administration.css"),
    include_str!("../assets/css/webhooks.css"),
    include_str!("../assets/css/log.css"),
    include_str!("../assets/css/words.css"),
);

const ASSETS: &[Asset] = &[
    asset("portal.css", CSS, STYLES.as_bytes()),
    asset("theme.js", SCRIPT, include_bytes!("../assets/theme.js")),
    asset("portal.js", SCRIPT, include_bytes!("../assets/portal.js")),
    asset("htmx.js", SCRIPT, include_bytes!("../assets/vendor/htmx.min.js")),
    asset("htmx-sse.js", SCRIPT, include_bytes!("../assets/vendor/htmx-sse.min.js")),
    asset("icon.svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
];

const fn asset(name: &'static str, content_type: &'static str, content: &'static [u8]) -> Asset {
    Asset {
        name,
        content_type,
        content,
    }
}

/// The addresses, in the order of [`ASSETS`].
static PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let path = |asset: &Asset| {
        let hash = HEXLOWER.encode(&digest(&SHA256, asset.content).as_ref()[..6]);
        format!("/assets/{hash}/{}", asset.name)
    };
    ASSETS.iter().map(path).collect()
});

/// The address of an asset; an unknown name is a mistake in a template, which the tests of all pages notice.
pub(crate) fn path(name: &str) -> &'static str {
    let place = ASSETS.iter().position(|asset| asset.name == name);
    place.map_or("/assets/unknown", |place| PATHS[place].as_str())
}

pub(crate) fn routes() -> Router<Portal> {
    Router::new().route("/assets/{hash}/{name}", get(serve))
}

async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let asked = format!("/assets/{hash}/{name}");
    let found = PATHS.iter().position(|path| *path == asked);
    let Some(asset) = found.map(|place| &ASSETS[place]) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CACHE_CONTROL, forever),
    ];
    (headers, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Vendored {
        file: Vec<File>,
    }

    #[derive(serde::Deserialize)]
    struct File {
        name: String,
        sha256: String,
    }

    #[test]
    fn every_script_of_others_is_in_the_list_of_them_as_it_is() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/vendor");
        let list: Vendored = toml::from_str(include_str!("../assets/vendor/vendor.toml")).unwrap();
        let mut listed: Vec<_> = list.file.into_iter().map(|file| (file.name, file.sha256)).collect();
        let names = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let scripts = names.filter(|name| !name.ends_with(".LICENSE") && name != "vendor.toml");
        let mut found: Vec<_> = scripts
            .map(|name| {
                let content = std::fs::read(folder.join(&name)).unwrap();
                (name, HEXLOWER.encode(digest(&SHA256, &content).as_ref()))
            })
            .collect();
        listed.sort();
        found.sort();
        assert_eq!(found, listed);
    }
}
