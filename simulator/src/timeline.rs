//! What happened on the simulated networks: people, posts, notifications. Knows no network's format.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

/// A network the simulator speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    Mastodon,
    Telegram,
}

impl Network {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mastodon => "mastodon",
            Self::Telegram => "telegram",
        }
    }
}

/// A person or an account of ours; its place in the timeline's list is its id.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    pub network: Network,
    /// `ayse` on the simulated server, `ayse@ornek.example` elsewhere.
    pub handle: String,
    pub display_name: String,
    pub language: Option<String>,
    pub followers: u64,
    pub about: String,
    pub kind: PersonKind,
    /// The account's token, where it is one of ours.
    #[serde(skip)]
    pub token: Option<String>,
}

impl Person {
    /// The handle without its server.
    pub fn username(&self) -> &str {
        self.handle.split_once('@').map_or(self.handle.as_str(), |(name, _)| name)
    }

    /// The server of somebody from elsewhere.
    pub fn server(&self) -> Option<&str> {
        self.handle.split_once('@').map(|(_, server)| server)
    }

    pub fn is_ours(&self) -> bool {
        self.token.is_some()
    }
}

/// Who can stand behind a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonKind {
    #[default]
    Person,
    /// A Telegram channel, which only our accounts write into.
    Channel,
}

pub type PersonId = usize;
pub type PostId = usize;

/// Who may see a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    #[default]
    Public,
    Unlisted,
    Private,
    Direct,
}

impl Visibility {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Private => "private",
            Self::Direct => "direct",
        }
    }

    /// The visibility with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Public, Self::Unlisted, Self::Private, Self::Direct].into_iter().find(|one| one.as_str() == name)
    }
}

/// One post; its place in the timeline's list is its id, so ids grow with time.
#[derive(Debug, Clone, Serialize)]
pub struct Post {
    pub id: PostId,
    pub network: Network,
    pub author: PersonId,
    pub text: String,
    pub reply_to: Option<PostId>,
    /// Who is named in it.
    pub names: Vec<PersonId>,
    pub visibility: Visibility,
    pub language: Option<String>,
    /// Telegram: the chat it is in, and its number there.
    pub chat: Option<i64>,
    pub number: i64,
    pub created_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    /// The idempotency key it was posted with.
    pub key: Option<String>,
}

/// Tells one of our accounts that it was named, or written to.
#[derive(Debug, Clone, Serialize)]
pub struct Notification {
    pub account: PersonId,
    pub post: PostId,
    pub kind: NotificationKind,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    New,
    /// Telegram tells a bot of edits; Mastodon does not tell whom a post names.
    Edited,
}

/// A post to be made.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub text: String,
    pub reply_to: Option<PostId>,
    pub visibility: Visibility,
    pub language: Option<String>,
    pub chat: Option<i64>,
    pub key: Option<String>,
}

/// Everything that was ever posted.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    people: Vec<Person>,
    by_handle: HashMap<(Network, String), PersonId>,
    by_token: HashMap<(Network, String), PersonId>,
    posts: Vec<Post>,
    /// Of each person, how many posts there ever were.
    written: HashMap<PersonId, usize>,
    notifications: Vec<Notification>,
    chats: HashMap<i64, i64>,
}

impl Timeline {
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    pub fn person(&self, id: PersonId) -> &Person {
        &self.people[id]
    }

    pub fn posts(&self) -> &[Post] {
        &self.posts
    }

    pub fn post(&self, id: PostId) -> Option<&Post> {
        self.posts.get(id)
    }

    /// A post that is still there.
    pub fn live(&self, id: PostId) -> Option<&Post> {
        self.posts.get(id).filter(|post| post.deleted_at.is_none())
    }

    /// How many posts a person ever made.
    pub fn written_by(&self, author: PersonId) -> usize {
        self.written.get(&author).copied().unwrap_or(0)
    }

    pub fn notifications(&self) -> &[Notification] {
        &self.notifications
    }

    /// The person with this handle, in any case of letters.
    pub fn find(&self, network: Network, handle: &str) -> Option<PersonId> {
        self.by_handle.get(&(network, handle.to_lowercase())).copied()
    }

    pub fn by_token(&self, network: Network, token: &str) -> Option<PersonId> {
        self.by_token.get(&(network, token.to_owned())).copied()
    }

    /// Adds a person, or gives the one who has the handle already.
    pub fn add_person(&mut self, person: Person) -> PersonId {
        let key = (person.network, person.handle.to_lowercase());
        if let Some(id) = self.by_handle.get(&key) {
            return *id;
        }
        let id = self.people.len();
        self.by_handle.insert(key, id);
        if let Some(token) = &person.token {
            self.by_token.entry((person.network, token.clone())).or_insert(id);
        }
        self.people.push(person);
        id
    }

    /// Publishes a post and notifies the accounts of ours that it names.
    pub fn publish(&mut self, author: PersonId, draft: Draft, now: Timestamp) -> PostId {
        let id = self.posts.len();
        let network = self.people[author].network;
        let names = self.named_in(network, &draft.text);
        let number = match draft.chat {
            Some(chat) => {
                let last = self.chats.entry(chat).or_insert(0);
                *last += 1;
                *last
            }
            None => 0,
        };
        let told = match network {
            Network::Mastodon => names.clone(),
            Network::Telegram if draft.chat.is_some() => self.bots(),
            Network::Telegram => Vec::new(),
        };
        self.notify(&told, author, id, NotificationKind::New, now);
        *self.written.entry(author).or_default() += 1;
        self.posts.push(Post {
            id,
            network,
            author,
            text: draft.text,
            reply_to: draft.reply_to,
            names,
            visibility: draft.visibility,
            language: draft.language.or_else(|| self.people[author].language.clone()),
            chat: draft.chat,
            number,
            created_at: now,
            edited_at: None,
            deleted_at: None,
            key: draft.key,
        });
        id
    }

    /// Changes a post's text; whoever of ours is named for the first time is notified. False where there is no post.
    pub fn edit(&mut self, id: PostId, text: String, now: Timestamp) -> bool {
        let Some(post) = self.live(id) else { return false };
        let (network, author, before) = (post.network, post.author, post.names.clone());
        let names = self.named_in(network, &text);
        match network {
            Network::Mastodon => {
                let told: Vec<PersonId> = names.iter().copied().filter(|name| !before.contains(name)).collect();
                self.notify(&told, author, id, NotificationKind::New, now);
            }
            Network::Telegram => self.notify(&self.bots(), author, id, NotificationKind::Edited, now),
        }
        let post = &mut self.posts[id];
        post.text = text;
        post.names = names;
        post.edited_at = Some(now);
        true
    }

    /// Deletes a post; its text is gone. False where there was none.
    pub fn delete(&mut self, id: PostId, now: Timestamp) -> bool {
        let Some(post) = self.posts.get_mut(id).filter(|post| post.deleted_at.is_none()) else { return false };
        post.deleted_at = Some(now);
        post.text.clear();
        true
    }

    fn bots(&self) -> Vec<PersonId> {
        let is_bot = |person: &Person| person.network == Network::Telegram && person.is_ours();
        (0..self.people.len()).filter(|id| is_bot(&self.people[*id])).collect()
    }

    fn notify(&mut self, told: &[PersonId], author: PersonId, post: PostId, kind: NotificationKind, now: Timestamp) {
        if self.people[author].is_ours() {
            return;
        }
        for account in told {
            if self.people[*account].is_ours() {
                self.notifications.push(Notification { account: *account, post, kind, created_at: now });
            }
        }
    }

    /// Whether `viewer` may see the post.
    pub fn is_visible(&self, post: &Post, viewer: PersonId) -> bool {
        post.deleted_at.is_none()
            && (matches!(post.visibility, Visibility::Public | Visibility::Unlisted)
                || post.author == viewer
                || post.names.contains(&viewer))
    }

    /// The people named with `@handle` in a text, each once, in order.
    fn named_in(&self, network: Network, text: &str) -> Vec<PersonId> {
        let mut names = Vec::new();
        for (start, _) in text.match_indices('@') {
            let starts_word = text[..start].chars().next_back().is_none_or(|before| !is_handle_letter(before));
            let rest = &text[start + 1..];
            let end = rest.find(|letter| !is_handle_letter(letter)).unwrap_or(rest.len());
            let handle = rest[..end].trim_end_matches(['.', '@', '-']);
            if let Some(id) = self.find(network, handle)
                && starts_word
                && !names.contains(&id)
            {
                names.push(id);
            }
        }
        names
    }
}

/// Letters of a handle with its server.
fn is_handle_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn someone(handle: &str, token: Option<&str>) -> Person {
        Person {
            network: Network::Mastodon,
            handle: handle.to_owned(),
            display_name: handle.to_owned(),
            language: None,
            followers: 0,
            about: String::new(),
            kind: PersonKind::Person,
            token: token.map(str::to_owned),
        }
    }

    fn timeline() -> (Timeline, PersonId, PersonId) {
        let mut timeline = Timeline::default();
        let shop = timeline.add_person(someone("yelpazar", Some("t")));
        let ayse = timeline.add_person(someone("ayse@ornek.example", None));
        (timeline, shop, ayse)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_post_that_names_an_account_of_ours_notifies_it_once() {
        let (mut timeline, shop, ayse) = timeline();
        let text = "@Yelpazar kargom nerede? @yelpazar.".to_owned();
        timeline.publish(ayse, Draft { text, ..Draft::default() }, at(1));
        timeline.publish(ayse, Draft { text: "bilgi@yelpazar.example yazdım".to_owned(), ..Draft::default() }, at(2));
        timeline.publish(shop, Draft { text: "@ayse@ornek.example merhaba".to_owned(), ..Draft::default() }, at(3));
        assert_eq!(timeline.notifications().len(), 1);
        assert_eq!(timeline.posts()[2].names, [ayse]);
    }

    #[test]
    fn an_edit_notifies_whoever_is_newly_named_and_a_deletion_empties_the_post() {
        let (mut timeline, _, ayse) = timeline();
        let id = timeline.publish(ayse, Draft { text: "kargom nerede".to_owned(), ..Draft::default() }, at(1));
        assert!(timeline.edit(id, "@yelpazar kargom nerede".to_owned(), at(2)));
        assert!(timeline.edit(id, "@yelpazar kargom geldi".to_owned(), at(3)));
        assert_eq!(timeline.notifications().len(), 1);
        assert!(timeline.delete(id, at(4)));
        assert!(!timeline.delete(id, at(5)));
        assert_eq!(timeline.post(id).unwrap().text, "");
        assert!(timeline.live(id).is_none());
    }
}
