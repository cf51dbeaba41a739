//! What people may do who sign in.

mod audit;
mod jobs;
mod look;
mod overview;
mod people;
mod sessions;

use std::net::{IpAddr, Ipv4Addr};

use tidings_app::{Browser, PersonRole, Problem, SignIn, SignedIn};

use crate::support::World;

const OWNER: &str = "olga@example.com";
const PASSWORD: &str = "correct horse battery";

fn browser() -> Browser {
    Browser {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        agent: "Tests/1.0".to_owned(),
    }
}

/// The first owner, made by the set-up link.
async fn owner(world: &World) -> SignedIn {
    let token = world.app.setup_token().await.unwrap().unwrap();
    world.app.set_up(&token, OWNER, PASSWORD, &browser()).await.unwrap()
}

/// Somebody whom the owner invited, and who chose a password.
async fn invited(world: &World, owner: &SignedIn, email: &str, role: PersonRole) -> SignedIn {
    let token = world.app.invite(&owner.visit, email, role).await.unwrap();
    world.app.accept_invitation(&token, PASSWORD, &browser()).await.unwrap()
}

async fn sign_in(world: &World, email: &str, password: &str) -> Result<SignedIn, Problem> {
    let input = SignIn {
        email: email.to_owned(),
        password: password.to_owned(),
        from: browser(),
    };
    world.app.sign_in(input).await
}
