//! Every text of the console, in both languages, in one table.
//!
//! `{0}`, `{1}`, … are filled in by [`super::locale::Locale::fill`]; `one|other` are the forms of
//! [`super::locale::Locale::count`] (Turkish has one form after a number).

use super::locale::Language;

/// Declares the texts: name, Turkish, English.
macro_rules! texts {
    ($($name:ident: $turkish:literal, $english:literal;)*) => {
        /// A text of the console.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Text { $($name),* }

        impl Text {
            pub const ALL: &'static [Text] = &[$(Text::$name),*];

            pub fn in_language(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Text::$name, Language::Turkish) => $turkish,
                      (Text::$name, Language::English) => $english,)*
                }
            }
        }
    };
}

texts! {
    // The frame of every page.
    Product: "Muhatap", "Muhatap";
    Inbox: "Gelen kutusu", "Inbox";
    Schedule: "Planlama", "Schedule";
    Deliveries: "Gönderiler", "Deliveries";
    Sentiment: "Duygu", "Sentiment";
    Contacts: "Kişiler", "Contacts";
    Accounts: "Hesaplar", "Accounts";
    Users: "Kullanıcılar", "Users";
    More: "Diğer", "More";
    Pages: "Sayfalar", "Pages";
    SkipToContent: "İçeriğe geç", "Skip to content";
    SignOut: "Çıkış yap", "Sign out";
    SignedInAs: "{0} olarak girdiniz", "Signed in as {0}";
    LocalUse: "Bu bilgisayarda, girişsiz", "On this machine, no login";
    OtherLanguage: "English", "Türkçe";
    KeyboardHelp: "Klavye kısayolları", "Keyboard shortcuts";
    Close: "Kapat", "Close";
    Cancel: "Vazgeç", "Never mind";
    Save: "Kaydet", "Save";
    Apply: "Uygula", "Apply";
    Search: "Ara", "Search";
    Download: "CSV indir", "Download CSV";
    Newer: "Daha yeni", "Newer";
    Older: "Daha eski", "Older";
    FirstPage: "En yeniler", "Newest";
    NextPage: "Sonraki", "Next";
    Back: "Geri", "Back";
    Any: "Hepsi", "All";
    None: "Yok", "None";
    Yes: "Evet", "Yes";
    LiveLost: "Canlı bağlantı koptu, yeniden bağlanılıyor…", "Live updates lost, reconnecting…";
    SendingStopped: "Tüm gönderimler durduruldu.", "All sending is stopped.";
    SendingStoppedMore: "Hiçbir yanıt ya da gönderi çıkmıyor; bekleyenler yerinde duruyor.", "No reply and no post goes out; what waits stays where it is.";
    ResumeSending: "Gönderimi yeniden başlat", "Resume sending";
    StopSending: "Tüm gönderimi durdur", "Stop all sending";
    StopSendingAsk: "Tüm hesaplarda gönderim durdurulsun mu?", "Stop sending on every account?";
    StopSendingMore: "Yola çıkmış bir çağrı yarıda kesilmez; geri kalan her şey siz yeniden başlatana kadar bekler.", "A call already under way is not cut off; everything else waits until you resume.";
    ResumeSendingMore: "Geciken kampanya gönderileri hemen çıkmaz: beklemeye alınır ve size sorulur.", "Campaign posts that are late by now do not burst out: they are held and you are asked.";
    YesStop: "Evet, durdur", "Yes, stop";

    // Webhooks.
    Webhooks: "Webhook'lar", "Webhooks";
    NoWebhooksTitle: "Henüz webhook yok", "No webhooks yet";
    NoWebhooksBody: "Bir webhook, olan biteni anında başka bir programa bildirir: CRM'inize, yardım masanıza, sohbet aracınıza. Aşağıdan adresini ve olaylarını seçerek ekleyin.", "A webhook tells another program at once what happens: your CRM, your help desk, your chat tool. Add one below with its address and its events.";
    AddWebhook: "Webhook ekle", "Add webhook";
    ChangeWebhook: "Ayarlar", "Settings";
    WebhookRefused: "Webhook kaydedilmedi: {0}", "The webhook was not saved: {0}";
    WebhookUrl: "Adres", "Address";
    WebhookUrlHint: "Olaylar bu adrese POST ile gönderilir. Kendi ağınızdaki bir adres yalnızca muhatap.toml dosyasından eklenebilir.", "Events are posted to this address. One on your own network can only be added in muhatap.toml.";
    WebhookBrandHint: "Yalnızca bu markanın hesaplarında olanları duyar.", "It hears only of this brand's accounts.";
    WebhookEvents: "Bildirilecek olaylar", "Events to tell of";
    EventMentionReceived: "Yeni bir mesaj geldi", "A mention came in";
    EventMentionNegative: "Olumsuz bir mesaj geldi", "A negative mention came in";
    EventMentionComplaint: "Bir şikâyet geldi", "A complaint came in";
    EventMentionUrgent: "Acil bir mesaj geldi", "An urgent mention came in";
    EventMentionEdited: "Bir mesajı yazarı değiştirdi", "A mention was edited by its author";
    EventMentionDeleted: "Bir mesajı yazarı sildi", "A mention was deleted by its author";
    EventConversationOpened: "Bir konuşma yeniden açıldı", "A conversation was reopened";
    EventConversationDone: "Bir konuşma tamamlandı", "A conversation was finished";
    EventDeliverySent: "Bir yanıt ya da gönderi yayımlandı", "A reply or post was published";
    EventDeliveryFailed: "Bir yanıt ya da gönderi reddedildi", "A reply or post was refused";
    EventDeliveryUnknown: "Bir yanıt ya da gönderinin çıkıp çıkmadığı belirsiz", "It is unclear whether a reply or post is out";
    EventDeliveryHeld: "Bir yanıt ya da gönderi beklemeye alındı", "A reply or post is held";
    EventDeliveryExpired: "Bir yanıt ya da gönderinin süresi doldu", "A reply or post expired";
    EventWebhookTest: "Deneme olayı", "Test event";
    WebhookFailingHelp: "Olaylar sırada bekliyor ve yeniden deneniyor; üç gün içinde teslim edilemeyenler buradan yeniden gönderilebilir. Alıcıyı kontrol edin.", "Events wait in line and are tried again; what cannot be handed over within three days can be sent again from here. Look at the receiver.";
    WebhookGated: "Alıcı yavaşlamamızı istedi: {0} saatine kadar gönderilmiyor.", "The receiver asked for a pause: nothing is sent before {0}.";
    WebhookWaiting: "{0} olay bekliyor", "{0} event waits|{0} events wait";
    WebhookNothingWaits: "Bekleyen olay yok", "Nothing waits";
    WebhookDead: "{0} olay teslim edilemedi", "{0} event was not handed over|{0} events were not handed over";
    WebhookUnkept: "kuyruk dolu olduğu için {0} olay gönderilmeyecek", "{0} event was not kept, the queue was full|{0} events were not kept, the queue was full";
    WebhookLastSent: "son teslim", "last handed over";
    WebhookCalls: "{0} deneme", "{0} try|{0} tries";
    WebhookNextTry: "sonraki deneme {0}", "next try {0}";
    WebhookSecretOnce: "İmza anahtarı yalnızca şimdi gösteriliyor; alıcıya verin.", "The signing secret is shown only now; give it to the receiver.";
    WebhookSecretUse: "Her olay Standard Webhooks belirtimine göre bu anahtarla imzalanır (webhook-signature başlığı).", "Every event is signed with it as Standard Webhooks says (the header webhook-signature).";
    NewSecret: "Yeni anahtar", "New secret";
    NewSecretAsk: "Yeni bir imza anahtarı üretilsin mi?", "Make a new signing secret?";
    NewSecretMore: "Eski anahtar bir gün daha geçerli kalır: bu sürede olaylar iki imza taşır.", "The former one goes on for a day: until then events carry two signatures.";
    SendTestEvent: "Deneme olayı gönder", "Send a test event";
    RemoveWebhookAsk: "Bu webhook kaldırılsın mı?", "Remove this webhook?";
    RemoveWebhookMore: "Anahtarı silinir, bekleyen olayları gönderilmez.", "Its secret is forgotten, and what waits is not sent.";
    WebhookChanged: "Webhook kaydedildi.", "The webhook is saved.";
    WebhookRemoved: "Webhook kaldırıldı.", "The webhook is removed.";
    EventQueued: "Deneme olayı yolda.", "The test event is on its way.";
    Replay: "Yeniden gönder", "Send again";
    Replayed: "Olaylar yeniden gönderiliyor.", "The events are being sent again.";
    ReplayMore: "Oldukları sırayla ve eski kimlikleriyle gönderilirler; alıcı daha önce aldığını tanır.", "They go out in the order they happened and under their old ids; the receiver knows what it took before.";
    ReplaySince: "Şu andan beri (boşsa hepsi)", "Since (all if empty)";
    NoEventsTitle: "Henüz olay yok", "No events yet";
    NoEventsBody: "Seçtiğiniz olaylardan biri olduğunda burada görünür. Hemen görmek için bir deneme olayı gönderin.", "When one of the events you chose happens, it appears here. Send a test event to see one now.";

    // Time.
    Today: "Bugün", "Today";
    Yesterday: "Dün", "Yesterday";
    Tomorrow: "Yarın", "Tomorrow";
    JustNow: "az önce", "just now";
    SecondsAgo: "{0} sn önce", "{0} second ago|{0} seconds ago";
    MinutesAgo: "{0} dk önce", "{0} minute ago|{0} minutes ago";
    HoursAgo: "{0} saat önce", "{0} hour ago|{0} hours ago";
    DaysAgo: "{0} gün önce", "{0} day ago|{0} days ago";
    InSeconds: "{0} sn sonra", "in {0} second|in {0} seconds";
    InMinutes: "{0} dk sonra", "in {0} minute|in {0} minutes";
    InHours: "{0} saat sonra", "in {0} hour|in {0} hours";
    InDays: "{0} gün sonra", "in {0} day|in {0} days";
    January: "Ocak", "January";
    February: "Şubat", "February";
    March: "Mart", "March";
    April: "Nisan", "April";
    May: "Mayıs", "May";
    June: "Haziran", "June";
    July: "Temmuz", "July";
    August: "Ağustos", "August";
    September: "Eylül", "September";
    October: "Ekim", "October";
    November: "Kasım", "November";
    December: "Aralık", "December";
    Monday: "Pazartesi", "Monday";
    Tuesday: "Salı", "Tuesday";
    Wednesday: "Çarşamba", "Wednesday";
    Thursday: "Perşembe", "Thursday";
    Friday: "Cuma", "Friday";
    Saturday: "Cumartesi", "Saturday";
    Sunday: "Pazar", "Sunday";
    Mon: "Pzt", "Mon";
    Tue: "Sal", "Tue";
    Wed: "Çar", "Wed";
    Thu: "Per", "Thu";
    Fri: "Cum", "Fri";
    Sat: "Cmt", "Sat";
    Sun: "Paz", "Sun";

    // Words of the product.
    Negative: "Olumsuz", "Negative";
    Neutral: "Nötr", "Neutral";
    Positive: "Olumlu", "Positive";
    Complaint: "Şikâyet", "Complaint";
    Question: "Soru", "Question";
    Request: "Talep", "Request";
    Praise: "Övgü", "Praise";
    Suggestion: "Öneri", "Suggestion";
    Purchase: "Satın alma", "Purchase";
    Spam: "İstenmeyen", "Spam";
    OtherIntent: "Diğer", "Other";
    Open: "Açık", "Open";
    Snoozed: "Ertelendi", "Snoozed";
    Done: "Tamamlandı", "Done";
    Unassigned: "Kimseye atanmamış", "Unassigned";
    Mine: "Bana atanan", "Assigned to me";
    NetworkFile: "Dosya", "File";
    NetworkFeed: "Haber akışı", "Feed";
    NetworkWebhook: "Webhook", "Webhook";
    LanguageTurkish: "Türkçe", "Turkish";
    LanguageEnglish: "İngilizce", "English";
    LanguageGerman: "Almanca", "German";
    LanguageFrench: "Fransızca", "French";
    LanguageSpanish: "İspanyolca", "Spanish";
    LanguageItalian: "İtalyanca", "Italian";
    LanguagePortuguese: "Portekizce", "Portuguese";
    LanguageDutch: "Felemenkçe", "Dutch";
    LanguageArabic: "Arapça", "Arabic";
    LanguageHebrew: "İbranice", "Hebrew";
    LanguagePersian: "Farsça", "Persian";
    LanguageRussian: "Rusça", "Russian";
    LanguageUkrainian: "Ukraynaca", "Ukrainian";
    LanguageGreek: "Yunanca", "Greek";
    LanguageAzerbaijani: "Azerbaycanca", "Azerbaijani";
    LanguageKurdish: "Kürtçe", "Kurdish";
    LanguageJapanese: "Japonca", "Japanese";
    LanguageChinese: "Çince", "Chinese";
    LanguageKorean: "Korece", "Korean";
    LanguageUnknown: "Belirsiz", "Unclear";

    // Inbox.
    FilterAccount: "Hesap", "Account";
    FilterNetwork: "Ağ", "Network";
    FilterLanguage: "Dil", "Language";
    FilterSentiment: "Duygu", "Sentiment";
    FilterIntent: "Niyet", "Intent";
    FilterTopic: "Konu", "Topic";
    FilterUrgency: "Aciliyet", "Urgency";
    Urgent: "Acil", "Urgent";
    Pressing: "Bekletilmemeli", "Pressing";
    NotUrgent: "Acil değil", "Not urgent";
    FilterState: "Durum", "State";
    FilterAssignee: "Atanan", "Assignee";
    FilterSince: "Başlangıç", "From";
    FilterUntil: "Bitiş", "Until";
    TabUnassigned: "Atanmamış", "Unassigned";
    TabSnoozed: "Ertelenen", "Snoozed";
    TabDone: "Tamamlanan", "Done";
    Filters: "Süzgeçler", "Filters";
    FiltersOn: "Süzgeçler ({0})", "Filters ({0})";
    ClearFilters: "Süzgeçleri temizle", "Clear filters";
    SearchMentions: "Metin, kişi ya da kullanıcı adı ara", "Search text, person or handle";
    NewMentions: "{0} yeni mesaj", "{0} new|{0} new";
    Mentions: "Mesajlar", "Mentions";
    MentionCount: "{0} mesaj", "{0} mention|{0} mentions";
    NoAccountsTitle: "Henüz bağlı bir hesap yok", "No account is connected yet";
    NoAccountsBody: "Dinlenecek ilk hesabı Hesaplar sayfasında ya da muhatap.toml dosyasında ekleyin. Ya da “muhatap demo” ile her şeyi örnek verilerle görün.", "Add the first account to listen on, on the accounts page or in muhatap.toml. Or see everything with sample data: “muhatap demo”.";
    NothingYetTitle: "Henüz mesaj gelmedi", "No mention has arrived yet";
    NothingYetBody: "Hesaplar dinleniyor. İlk mesaj geldiği anda burada belirir; sayfayı yenilemeniz gerekmez.", "The accounts are being listened to. The first mention shows up here the moment it arrives; no need to reload.";
    NothingMatchesTitle: "Bu süzgeçlere uyan mesaj yok", "Nothing matches these filters";
    NothingMatchesBody: "Süzgeçlerden birini gevşetin ya da hepsini temizleyin.", "Loosen one of the filters, or clear them all.";
    NothingHereTitle: "Burada bir şey yok", "Nothing here";
    NothingHereBody: "Bu bölümde şu an mesaj yok.", "No mention is in this part right now.";
    RemoveFilter: "süzgecini kaldır", "remove this filter";
    AllDoneTitle: "Hepsi tamam", "All done";
    AllDoneBody: "Yanıt bekleyen mesaj kalmadı. Yeni biri yazınca burada görünür.", "Nobody is waiting for an answer. A new mention will show up here.";
    ShowAll: "Tüm mesajları göster", "Show all mentions";
    DeletedMention: "Yazarı bu mesajı sildi; metni burada da silindi.", "Its author deleted this message; the text is erased here too.";
    Edited: "düzenlendi", "edited";
    Answered: "Yanıtlandı", "Answered";
    SnoozedUntil: "{0} tarihine ertelendi", "Snoozed until {0}";
    AssignedTo: "Atanan: {0}", "Assigned to {0}";
    ReplyShort: "Yanıtla", "Reply";

    // Keyboard.
    KeyNext: "Sonraki mesaj", "Next mention";
    KeyPrevious: "Önceki mesaj", "Previous mention";
    KeyOpen: "Mesajı aç", "Open the mention";
    KeyReply: "Yanıtla", "Reply";
    KeyDone: "Tamamlandı olarak işaretle", "Mark as done";
    KeySnooze: "Ertele", "Snooze";
    KeySearch: "Ara", "Search";
    KeyHelp: "Bu yardım", "This help";
    KeyBack: "Gelen kutusuna dön", "Back to the inbox";
    KeySend: "Yanıtı gönder", "Send the reply";

    // Conversation.
    Conversation: "Konuşma", "Conversation";
    ConversationWith: "{0} ile konuşma", "Conversation with {0}";
    Us: "Biz", "Us";
    MarkDone: "Tamamla", "Mark as done";
    Reopen: "Yeniden aç", "Reopen";
    Snooze: "Ertele", "Snooze";
    SnoozeHour: "1 saat", "1 hour";
    SnoozeEvening: "Bu akşam 18.00", "This evening, 18:00";
    SnoozeTomorrow: "Yarın 09.00", "Tomorrow, 09:00";
    SnoozeMonday: "Pazartesi 09.00", "Monday, 09:00";
    SnoozeOther: "Başka bir zaman", "Another time";
    SnoozeBadTime: "Erteleme zamanı gelecekte olmalı. Daha sonraki bir tarih ve saat seçin.", "The snooze time must be in the future. Choose a later date and time.";
    Assignee: "Atanan kişi", "Assignee";
    Assign: "Ata", "Assign";
    TakeIt: "Bana ata", "Assign to me";
    Why: "Neden {0}?", "Why {0}?";
    WhySaid: "Analiz neden {0} demişti?", "Why did the analysis say {0}?";
    WhyNone: "Bu puanı belirleyen tek bir kelime yok.", "No single word drove this score.";
    Confidence: "güven {0}", "confidence {0}";
    ScoreWord: "{0}: {1}", "{0}: {1}";
    Correct: "Düzelt", "Correct";
    CorrectHint: "Duygu ya da niyet yanlışsa doğrusunu seçin; süzgeçler, sayılar ve grafikler ona uyar.", "If the mood or an intent is wrong, choose the right one; filters, counts and charts follow it.";
    MainIntent: "Asıl niyet", "Main intent";
    FurtherIntents: "Ek niyetler", "Further intents";
    OtherBeside: "“Diğer”, hiçbir niyetin uymadığı anlamına gelir: tek başına seçin ya da başka bir asıl niyet seçin.", "“Other” means that no intent fits: choose it alone, or choose another main intent.";
    Corrected: "Düzeltildi", "Corrected";
    CorrectedBy: "düzelten: {0}", "by {0}";
    AnalysisSaid: "Analiz şöyle demişti: {0}", "The analysis had said: {0}";
    CorrectionOutdated: "Düzeltme geçersiz kaldı", "Correction outdated";
    CorrectionOutdatedMore: "Yazarı metni sonradan değiştirdi; yeni metin yeniden analiz edildi. Önceki düzeltme ({0}): {1}. Hâlâ doğruysa “Düzelt” ile yeniden kaydedin.", "Its author changed the text since, and the new text was analysed again. The earlier correction ({0}): {1}. If it still holds, save it again with “Correct”.";
    TakeBackCorrection: "Düzeltmeyi geri al", "Take the correction back";
    InternalNote: "İç not", "Internal note";
    InternalNotes: "İç notlar", "Internal notes";
    NoteHint: "Yalnızca ekibiniz görür.", "Only your team sees this.";
    AddNote: "Not ekle", "Add note";
    NoteEmpty: "Not boş. Eklemek için bir şey yazın.", "The note is empty. Write something to add it.";
    WriteReply: "Yanıtınız", "Your reply";
    SendReply: "Yanıtı gönder", "Send reply";
    ReplyFrom: "{0} hesabından, {1} kişisine", "From {0}, to {1}";
    ReplyPublic: "Herkese açık yanıt", "Public reply";
    ReplyDirect: "Özel mesaj", "Direct message";
    UndoHint: "Gönderdikten sonra {0} saniye içinde geri alabilirsiniz.", "You have {0} seconds to undo after sending.";
    UndoSend: "Geri al", "Undo";
    SendingIn: "{0} sn sonra gönderiliyor", "Sending in {0} s";
    SendingSoon: "Gönderiliyor…", "Sending…";
    UndoneReply: "Geri alındı. Yanıt gönderilmedi; metniniz aşağıda duruyor.", "Undone. The reply was not sent; your text is kept below.";
    UndoTooLate: "Geri almak için geç: yanıt yola çıktı.", "Too late to undo: the reply is already on its way.";
    LengthCounter: "{0} / {1}", "{0} of {1}";
    LengthLeft: "{0} karakter kaldı", "{0} character left|{0} characters left";
    LengthOver: "{0} karakter fazla", "{0} character too many|{0} characters too many";
    ReplyTooLong: "Yanıt {0} karakter fazla: bu ağ en çok {1} karakter alır. Kısaltıp yeniden gönderin.", "The reply is {0} character too long: this network takes at most {1}. Shorten it and send again.|The reply is {0} characters too long: this network takes at most {1}. Shorten it and send again.";
    ReplyEmpty: "Yanıt boş. Göndermek için bir şey yazın.", "The reply is empty. Write something to send.";
    ReplyKeyReused: "Bu form daha önce başka bir metinle gönderildi. Metniniz aşağıda; yeniden gönderirseniz yeni bir yanıt olur.", "This form was sent before with another text. Your text is below; sending it again makes a new reply.";
    AnotherReplyTitle: "Bu konuşmaya az önce başka bir yanıt yazıldı", "Another reply to this conversation was written meanwhile";
    AnotherReplyBy: "{0}, {1}:", "{0}, {1}:";
    AnotherReplyAsk: "Yine de sizinkini göndermek istiyor musunuz?", "Do you still want to send yours?";
    Refused: "Bu yanıt gönderilemez", "This reply cannot be sent";
    WriterLocal: "bu bilgisayardaki kullanıcı", "the person at this machine";
    WriterCommandLine: "komut satırı", "the command line";
    WriterProgram: "bir program", "a program";
    LinkWord: "Bağlantı", "Link";
    SendAnyway: "Yine de gönder", "Send anyway";
    EditFirst: "Önce düzenle", "Edit first";
    PersonalDataTitle: "Bu yanıtta kişisel veri var gibi görünüyor", "This reply seems to hold personal data";
    PersonalDataAsk: "Herkese açık bir yanıtta kimlik, IBAN, kart ya da telefon numarası paylaşmak geri alınamaz. Özel mesajla devam etmeyi düşünün.", "Sharing an ID number, IBAN, card or phone number in a public reply cannot be taken back. Consider going on in a direct message.";
    CannotReply: "Bu mesaja buradan yanıt verilemez", "This message cannot be answered from here";
    CannotReplyBody: "{0} yalnızca okunan bir kaynak.", "{0} is a source that is only read.";
    CannotReplyDeleted: "Mesaj yazarı tarafından silindiği için yanıt verilemez.", "The message was deleted by its author, so it cannot be answered.";
    Viewers: "Yetkiniz yalnızca görüntülemeye yetiyor. Yanıt vermek için bir yöneticiden yetki isteyin.", "Your role only lets you look. Ask an admin for the right to answer.";
    OpenOnNetwork: "Ağda aç", "Open on the network";
    Author: "Yazar", "Author";
    AuthorSeen: "İlk görülme: {0}", "First seen {0}";
    Followers: "{0} takipçi", "{0} follower|{0} followers";
    EarlierMentions: "Önceki mesajları", "Earlier mentions";
    NoEarlierMentions: "Daha önce bir mesajı yok.", "No earlier mention.";
    AllOfAuthor: "Bu yazarın tüm mesajları", "All mentions by this author";
    Contact: "Kişi", "Contact";
    LinkedBecause: "Bağlantının dayanağı", "Why linked";
    NotLinked: "Bir kişiye bağlı değil", "Not linked to a contact";
    NotLinkedMore: "Yalnızca ad benzerliğiyle kimse kimseye bağlanmaz. Doğru kişiyi siz seçin ya da dayanak beklensin.", "Nobody is linked by a similar name alone. Choose the right contact yourself, or wait for evidence.";
    LinkContact: "Kişiye bağla", "Link to a contact";
    FindContact: "Ad, e-posta, telefon ya da şirket", "Name, e-mail, phone or company";
    Link: "Bağla", "Link";
    Unlink: "Bağı kaldır", "Unlink";
    NoContactFound: "“{0}” ile eşleşen kişi yok.", "No contact matches “{0}”.";
    EvidenceEmail: "Mesajda verilen e-posta: {0}", "E-mail given in a message: {0}";
    EvidencePhone: "Mesajda verilen telefon: {0}", "Phone given in a message: {0}";
    EvidenceExternal: "Mesajda verilen müşteri numarası: {0}", "Customer number given in a message: {0}";
    EvidenceHandle: "CRM’de kayıtlı sosyal hesap: {0}", "Social handle known to the CRM: {0}";
    EvidencePerson: "{0} elle bağladı", "Linked by hand by {0}";
    EvidenceOther: "{0}: {1}", "{0}: {1}";
    LinkedOn: "{0} tarihinde", "on {0}";
    Details: "Ayrıntılar", "Details";
    Account: "Hesap", "Account";
    Network: "Ağ", "Network";
    DetectedLanguage: "Dil", "Language";
    Visibility: "Görünürlük", "Visibility";
    VisibilityPublic: "Herkese açık", "Public";
    VisibilityUnlisted: "Liste dışı", "Unlisted";
    VisibilityFollowers: "Takipçilere", "Followers";
    VisibilityDirect: "Özel", "Direct";
    Rating: "Puan", "Rating";
    Attachment: "Ek", "Attachment";
    AttachmentDescribed: "Ek: {0}", "Attachment: {0}";
    WrittenInApp: "ağın kendi uygulamasında yazıldı", "written in the network’s own app";
    ByPerson: "yazan: {0}", "by {0}";
    DeletedOurs: "Ağdan silindi.", "Deleted on the network.";
    ProblemTitle: "Olmadı", "That did not work";
    BackToInbox: "Gelen kutusuna dön", "Back to the inbox";
    NotFoundTitle: "Bulunamadı", "Not found";

    // Schedule.
    NewPost: "Yeni gönderi", "New post";
    SchedulePost: "Gönderiyi planla", "Schedule the post";
    PostText: "Gönderi metni", "Post text";
    PostAccounts: "Hesaplar", "Accounts";
    PostAccountsHint: "Birden çok hesap seçerseniz her biri ayrı bir gönderi olur ve ayrı izlenir.", "With several accounts each gets its own post, followed on its own.";
    PostAccountsMissing: "En az bir hesap seçin.", "Choose at least one account.";
    PostEmpty: "Gönderi metni boş. Planlamak için bir şey yazın.", "The post is empty. Write something to schedule.";
    PostWhen: "Yayın zamanı", "Publish at";
    PostZone: "Saatler hesabın saat dilimindedir: {0}", "Times are in the account’s time zone: {0}";
    PostBadTime: "Yayın zamanı okunamadı. Tarihi ve saati birlikte girin, örneğin 2026-12-01 09:30.", "The publishing time could not be read. Give date and time, for example 2026-12-01 09:30.";
    PostPastTime: "Yayın zamanı geçmişte. Daha ileri bir zaman seçin.", "The publishing time is in the past. Choose a later one.";
    PostTooLong: "{0} için metin çok uzun: {1} / {2}. Kısaltıp yeniden deneyin.", "The text is too long for {0}: {1} of {2}. Shorten it and try again.";
    Preview: "Önizleme", "Preview";
    PreviewHint: "Ağın sayacağı biçimde", "As the network will count it";
    PreviewEmpty: "Yazdıkça burada görünür.", "Shows up here as you write.";
    ZoneOfAccount: "{0} · {1}", "{0} · {1}";
    NearDuplicateTitle: "Aynı gün için çok benzer bir gönderi var", "A very similar post is planned for the same day";
    NearDuplicateAsk: "Yinelenen gönderiler ağlarca istenmeyen sayılabilir. Yine de planlansın mı?", "Networks may take repeated posts for spam. Schedule it all the same?";
    ScheduleAnyway: "Yine de planla", "Schedule anyway";
    Scheduled: "Planlandı.", "Scheduled.";
    ScheduledFor: "{0} için planlandı", "Scheduled for {0}";
    NothingScheduledTitle: "Bu dönemde gönderi yok", "Nothing is scheduled here";
    NothingScheduledBody: "Bir metin yazın, zamanı seçin; gerisini Muhatap zamanı gelince yapar.", "Write a text, choose a time, and Muhatap publishes it when its time comes.";
    EditTime: "Zamanı değiştir", "Change time";
    NewTime: "Yeni zaman", "New time";
    CancelPost: "İptal et", "Cancel it";
    CancelAsk: "Bu gönderi iptal edilsin mi?", "Cancel this one?";
    PreviousMonth: "Önceki ay", "Previous month";
    NextMonth: "Sonraki ay", "Next month";
    PostCount: "{0} gönderi", "{0} post|{0} posts";
    UsingAccountZone: "{0} (hesabın saat dilimi)", "{0} (the account’s zone)";
    NoAccountCanPost: "Gönderi yayımlayabilen bir hesap yok. muhatap.toml dosyasına yazma yetkisi olan bir hesap ekleyin.", "No account can publish. Add one that may write to muhatap.toml.";

    // Deliveries.
    StateWaiting: "Onay bekliyor", "Waiting for approval";
    StateQueued: "Sırada", "Queued";
    StatePreparing: "Hazırlanıyor", "Preparing";
    StateSending: "Gönderiliyor", "Sending";
    StateVerifying: "Doğrulanıyor", "Verifying";
    StateRetry: "Yeniden denenecek", "Will retry";
    StateHeld: "Beklemede", "Held";
    StateUnknown: "Belirsiz", "Unclear";
    StateSent: "Gönderildi", "Sent";
    StateFailed: "Gönderilemedi", "Failed";
    StateExpired: "Süresi doldu", "Expired";
    StateCancelled: "İptal edildi", "Cancelled";
    NextWaiting: "Onaylanana kadar hiçbir şey olmaz.", "Nothing happens until it is approved.";
    NextQueued: "{0} gönderilecek.", "Goes out {0}.";
    NextQueuedNow: "Sırası gelir gelmez gönderilecek.", "Goes out as soon as it is its turn.";
    NextPreparing: "Gönderim için hazırlık yapılıyor.", "Being prepared for sending.";
    NextSending: "Ağın yanıtı bekleniyor.", "Waiting for the network’s answer.";
    NextVerifying: "Ağın yanıtı net değildi. Çıkıp çıkmadığı ağdan okunuyor; kesinleşmeden yeniden gönderilmez.", "The network’s answer was unclear. It is being read back; nothing is sent again until that is settled.";
    NextRetry: "Kesinlikle gönderilmedi. Yeni deneme {0}.", "It certainly did not go out. Next try {0}.";
    NextHeld: "Zamanı geçtiği için bekletiliyor. Şimdi gönderin, başka zamana alın ya da iptal edin.", "Its time has passed, so it is held. Send it now, move it or cancel it.";
    HeldCount: "Zamanı geçtiği için bekletilen {0} gönderi var.", "{0} delivery is held because its time has passed.|{0} deliveries are held because their time has passed.";
    HeldSpacing: "Bırakılırlarsa her hesapta eski sırasıyla, {0} saniye arayla çıkarlar.", "Released, they go out in their order, {0} second apart on each account.|Released, they go out in their order, {0} seconds apart on each account.";
    ReleaseHeld: "Hepsini bırak", "Release all";
    ReleaseHeldAsk: "Bekletilen {0} gönderi bırakılsın mı?", "Release {0} held delivery?|Release {0} held deliveries?";
    Released: "Bekletilenler sıraya alındı.", "What was held is queued.";
    NextUnknown: "Çıkmış olabilir ve bu ağda bunu okumanın yolu yok. Hesaba bakıp kararı siz verin.", "It may have gone out, and this network offers no way to tell. Look at the account and decide.";
    NextSent: "Ağ bunu onayladı.", "The network confirmed it.";
    NextFailed: "Yeniden denenmeyecek. Nedeni giderip yeni bir gönderi hazırlayın.", "It will not be tried again. Mend the reason and write a new one.";
    NextExpired: "Son gönderim zamanı geçti; gönderilmedi.", "Its last moment to go out passed; it was not sent.";
    NextCancelled: "Gönderilmeyecek.", "It will not be sent.";
    Reason: "Neden", "Reason";
    Delivery: "Gönderi", "Delivery";
    DeliveryReply: "Yanıt", "Reply";
    DeliveryPost: "Gönderi", "Post";
    DeliveryWebhook: "Webhook olayı", "Webhook event";
    DeliveryDelete: "Silme", "Deletion";
    DueAt: "Zamanı", "Due";
    SentAt: "Gönderilme", "Sent";
    CreatedAt: "Oluşturma", "Created";
    CreatedBy: "Hazırlayan", "Written by";
    Attempts: "Denemeler", "Attempts";
    AttemptNumber: "{0}. deneme", "Attempt {0}";
    AttemptCount: "{0} deneme", "{0} attempt|{0} attempts";
    NoAttempts: "Henüz denenmedi.", "Not tried yet.";
    AttemptRunning: "sürüyor", "under way";
    OutcomeSent: "gönderildi", "sent";
    OutcomeRetry: "gönderilmedi, yeniden denenecek", "not sent, will retry";
    OutcomeFailed: "ağ kabul etmedi", "refused by the network";
    OutcomeUnclear: "yanıt net değil", "unclear answer";
    OutcomeFound: "ağda bulundu", "found on the network";
    OutcomeAbsent: "ağda yok", "not on the network";
    MoveDelivery: "Başka zamana al", "Move";
    SendNow: "Şimdi gönder", "Send now";
    CancelDelivery: "İptal et", "Cancel it";
    DecideTitle: "Kararınız gerekiyor", "Your decision is needed";
    DecideBody: "Bağlantı tam gönderirken koptu. Çıkıp çıkmadığı bilinmiyor; yanlış bir karar aynı metni iki kez yayımlayabilir. Önce hesaba bakın:", "The connection broke exactly while sending. Whether it went out is unknown; a wrong decision may publish the same text twice. Look at the account first:";
    LookAtAccount: "Hesabı ağda aç", "Open the account on the network";
    DecideSent: "Çıkmış", "It is out";
    DecideSentMore: "Ağdaki bağlantısını yapıştırın; böylece kaydı tamamlanır.", "Paste its link on the network, so that the record is complete.";
    DecideLink: "Bağlantı ya da ağdaki kimliği", "Link or id on the network";
    DecideAgain: "Çıkmamış, yeniden gönder", "It is not out, send it again";
    DecideAgainMore: "Hesapta olmadığından eminseniz.", "If you are sure it is not on the account.";
    DecideCancel: "Vazgeç, gönderme", "Drop it";
    DecideCancelMore: "Bir daha denenmez.", "It is not tried again.";
    DeleteFromNetwork: "Ağdan sil", "Delete on the network";
    DeleteAsk: "Bu gönderi ağdan silinsin mi?", "Delete it on the network?";
    DeleteMore: "Gören ya da paylaşan olduysa onların kopyaları kalabilir.", "Copies that others saw or shared may stay.";
    DeleteQueued: "Silme sıraya alındı.", "The deletion is queued.";
    SeeLive: "Yayındakini gör", "See it live";
    NoDeliveriesTitle: "Henüz bir gönderi yok", "No delivery yet";
    NoDeliveriesBody: "Bir mesaja yanıt verdiğinizde ya da gönderi planladığınızda adım adım burada izlersiniz.", "When you answer a mention or schedule a post, you follow it here step by step.";
    NoDeliveriesMatchTitle: "Bu süzgeçlere uyan gönderi yok", "No delivery matches these filters";
    UnderWay: "Yolda", "Under way";
    Ended: "Sonuçlananlar", "Ended";
    EveryState: "Her durum", "Every state";
    Decide: "Karar ver", "Decide";
    ShowConversation: "Konuşmayı göster", "Show the conversation";
    TakesBack: "Geri aldığı", "Takes back";
    NeedsYou: "Sizi bekleyenler", "Needs you";
    Alerts: "Uyarılar", "Alerts";
    AlertCount: "{0} açık uyarı", "{0} open alert|{0} open alerts";
    AlertFailed: "Gönderilemedi", "Could not be sent";
    AlertLate: "Gecikti", "Late";
    AlertHeld: "Beklemede", "Held";
    AlertUnknown: "Belirsiz, karar bekliyor", "Unclear, needs a decision";
    AlertToken: "Hesap yetkisi geçersiz", "The account’s authorization is invalid";
    AlertTold: "{0} bildirildi", "told {0}";
    AlertNotTold: "henüz bildirilmedi", "not told yet";
    AlertTellFailed: "bildirilemedi: {0}", "could not be told: {0}";
    TooLateTo: "Artık değiştirilemez: {0}", "It can no longer be changed: {0}";
    Cancelled: "İptal edildi.", "Cancelled.";
    CancelWanted: "Gönderim sürerken iptal istendi; çıkarsa ağdan silinecek.", "Cancelled while being sent; if it went out it will be deleted.";
    Moved: "Yeni zamana alındı.", "Moved to the new time.";
    Decided: "Kararınız kaydedildi.", "Your decision is recorded.";
    SendingNow: "Sıraya alındı, hemen gönderilecek.", "Queued; it goes out now.";

    // Sentiment.
    SentimentByHour: "Saat saat duygu", "Sentiment by hour";
    SentimentByDay: "Gün gün duygu", "Sentiment by day";
    Range24Hours: "24 saat", "24 hours";
    Range3Days: "3 gün", "3 days";
    Range7Days: "7 gün", "7 days";
    Range30Days: "30 gün", "30 days";
    Range: "Dönem", "Range";
    Brand: "Marka", "Brand";
    AllBrands: "Tüm markalar", "All brands";
    AllAccounts: "Tüm hesaplar", "All accounts";
    TotalMentions: "Toplam mesaj", "Mentions";
    NegativeShare: "Olumsuz payı", "Negative share";
    AverageMood: "Ortalama duygu", "Average sentiment";
    VersusBefore: "önceki döneme göre {0}", "{0} against the period before";
    NoBefore: "önceki dönemde mesaj yok", "no mentions in the period before";
    SameAsBefore: "önceki dönemle aynı", "the same as the period before";
    Points: "{0} puan", "{0} points";
    BusiestHour: "En yoğun saat", "Busiest hour";
    BusiestDay: "En yoğun gün", "Busiest day";
    Volume: "Mesaj sayısı", "Mentions";
    Mood: "Ortalama duygu (−1 … +1)", "Average sentiment (−1 to +1)";
    BarTitle: "{0}: {1} mesaj, {2} olumsuz, {3} nötr, {4} olumlu; ortalama {5}", "{0}: {1} mentions, {2} negative, {3} neutral, {4} positive; average {5}";
    ShowTable: "Tablo olarak göster", "Show as a table";
    Hour: "Saat", "Hour";
    Day: "Gün", "Day";
    Total: "Toplam", "Total";
    Average: "Ortalama", "Average";
    ChartLabel: "Seçilen dönemde olumsuz, nötr ve olumlu mesaj sayıları; ayrıntısı aşağıdaki tabloda", "Negative, neutral and positive mentions over the chosen time; the table below has the figures";
    NoSentimentTitle: "Bu dönemde mesaj yok", "No mentions in this time";
    NoSentimentBody: "Daha uzun bir dönem ya da başka bir hesap seçin.", "Choose a longer time or another account.";
    ZoneNote: "Saatler {0} saat diliminde.", "Times are in {0}.";

    // Accounts.
    AddAccount: "Hesap ekle", "Add account";
    EditAccount: "Hesabı düzenle", "Edit account";
    RemoveAccount: "Kaldır", "Remove";
    RemoveAccountAsk: "Hesap kaldırılsın mı?", "Remove this account?";
    RemoveAccountMore: "Artık dinlenmez ve göndermez, anahtarı silinir. Geçmişi kalır; aynı adla yeniden eklenirse kaldığı yerden sürer.", "It is no longer listened on, sends nothing, and its secret is deleted. Its history stays; added again under the same name it goes on.";
    AccountRemoved: "Hesap kaldırıldı; geçmişi duruyor.", "The account is removed; its history is kept.";
    AccountRemovedTitle: "Kaldırıldı", "Removed";
    AccountAdded: "Hesap eklendi, dinleniyor.", "The account is added and listened on.";
    AccountChanged: "Hesap değiştirildi.", "The account is changed.";
    AccountInFile: "Ayarları muhatap.toml dosyasında değiştirilir", "Its settings are changed in muhatap.toml";
    AccountRefused: "Hesap kaydedilmedi: {0}", "The account was not saved: {0}";
    AccountNetwork: "Ağ", "Network";
    AccountName: "Ad (sonra değişmez)", "Name (it stays)";
    AccountBrand: "Marka", "Brand";
    AccountAddress: "Adres (base_url)", "Address (base_url)";
    AccountAddressHint: "Sunucunun adresi, örneğin https://mastodon.example; haber akışında akışın adresi. Telegram’da boş kalabilir.", "The server’s address, like https://mastodon.example; for a feed, the feed’s own. May stay empty for Telegram.";
    AccountUser: "Kullanıcı (user)", "User (user)";
    AccountUserHint: "Bluesky’de kullanıcı adı; Matrix’te parola ile girilecekse kullanıcı; Telegram’da kanal. Öbürlerinde boş bırakın.", "The handle on Bluesky; the user on Matrix when logging in with a password; the channel on Telegram. Leave it empty elsewhere.";
    AccountSecret: "Anahtar ya da uygulama parolası (token)", "Token or app password (token)";
    AccountSecretHint: "Şifrelenerek saklanır, bir daha gösterilmez. Haber akışında boş bırakın.", "It is stored encrypted and never shown again. Leave it empty for a feed.";
    AccountSecretKept: "Boş bırakırsanız eskisi kalır. Adres ya da kullanıcı değişirse yeniden yazın.", "Leave it empty to keep the former one. Write it again when address or user change.";
    AccountListenFor: "Neler dinlensin", "What to listen for";
    AccountListenForHint: "Her satıra bir ad, etiket ya da sözcük. Haber akışında boş bırakın.", "A name, hashtag or word a line. Leave it empty for a feed.";
    AccountPollSeconds: "Kaç saniyede bir yoklansın", "Seconds between polls";
    AccountTimezone: "Saat dilimi", "Time zone";
    UnauthorizedHelpOwn: "Ağ bu hesabın anahtarını kabul etmiyor. Ağda yeni bir anahtar alın ve hesabı düzenleyip yazın. Bekleyen gönderiler kaybolmaz.", "The network refuses this account’s token. Get a new one on the network, then edit the account and write it there. Waiting deliveries are not lost.";
    HealthNew: "Henüz yoklanmadı", "Not polled yet";
    HealthOk: "Çalışıyor", "Working";
    HealthFailing: "Sorun var", "Failing";
    HealthUnauthorized: "Yetki geçersiz", "Not authorized";
    Paused: "Duraklatıldı", "Paused";
    LastPoll: "Son yoklama {0}", "Last polled {0}";
    NeverPolled: "Henüz yoklanmadı", "Not polled yet";
    CompleteUpTo: "{0} zamanına kadar eksiksiz", "Complete up to {0}";
    CompleteUnknown: "Eksiksizlik henüz bilinmiyor", "Completeness not known yet";
    GapFilling: "dolduruluyor", "being filled";
    GapLost: "ağda artık yok", "no longer on the network";
    GapFromTo: "{0} – {1}", "{0} – {1}";
    GapUnbounded: "baştan {0} zamanına", "from the beginning to {0}";
    GapTitle: "Bilinen boşluklar", "Known gaps";
    NoGaps: "Bilinen boşluk yok", "No known gap";
    GapCount: "{0} boşluk", "{0} gap|{0} gaps";
    Streams: "Kaynaklar", "Sources";
    StreamMentions: "Bize yazılanlar", "Mentions of us";
    StreamSearch: "Arama: {0}", "Search: {0}";
    StreamMessages: "Özel mesajlar", "Direct messages";
    StreamFeed: "Akış", "Feed";
    StreamOwn: "Kendi gönderilerimiz", "Our own posts";
    StreamFailures: "{0} kez üst üste başarısız: {1}", "Failed {0} time in a row: {1}|Failed {0} times in a row: {1}";
    PauseAccount: "Duraklat", "Pause";
    PauseReason: "Neden (isteğe bağlı)", "Reason (optional)";
    PauseMore: "Duraklatılan hesap ne dinler ne gönderir; kaldığı yerden sürer.", "A paused account neither listens nor sends; it goes on where it left off.";
    ResumeAccount: "Sürdür", "Resume";
    PausedSince: "{0} duraklatıldı", "Paused {0}";
    PausedBecause: "{0} duraklatıldı: {1}", "Paused {0}: {1}";
    UnauthorizedHelp: "Ağ bu hesabın anahtarını kabul etmiyor. Ağda yeni bir anahtar alın, muhatap.toml dosyasındaki kaynağa (ortam değişkeni ya da dosya) koyun, sonra “muhatap check-config --online” ile deneyin. Bekleyen gönderiler kaybolmaz.", "The network refuses this account’s token. Get a new one on the network, put it where muhatap.toml points (environment variable or file), then try it with “muhatap check-config --online”. Waiting deliveries are not lost.";
    FailingHelp: "Bir süredir yanıt alınamıyor; kendiliğinden yeniden deneniyor.", "It has not answered for a while; it is being retried on its own.";
    GatedUntil: "Gönderim {0} zamanına kadar bekliyor: {1}", "Sending waits until {0}: {1}";
    Unparsed: "{0} öğe okunamadı, ham hâliyle saklandı", "{0} item could not be read and is kept raw|{0} items could not be read and are kept raw";
    UnparsedTitle: "Okunamayan öğeler", "Items that could not be read";
    UnparsedHelp: "Ağdan ya da bir dosyadan gelen ama mesaj olarak saklanamayan her şey, geldiği gibi ve nedeniyle.", "What came from the network or a file and could not be stored as a mention, as it came and with the reason.";
    NoUnparsed: "Okunamayan öğe yok", "Nothing was unreadable";
    RawItem: "Geldiği gibi", "As it came";
    HintWords: "Mastodon sözcükleri yalnızca tam metin araması olan sunucularda, orada da yalnızca yazarı izin verdiyse bulur; başka yerde bu kaynak boş kalır. Bunun yerine bir etiket (#) dinleyin.", "Mastodon finds words only on servers with full-text search, and there only where the author allows it; elsewhere this source stays empty. Listen for a hashtag instead.";
    OpenProfile: "Profili aç", "Open the profile";

    // Contacts.
    SearchContacts: "Ad, şirket, e-posta, telefon ara", "Search name, company, e-mail, phone";
    ContactCount: "{0} kişi", "{0} contact|{0} contacts";
    NoContactsTitle: "Henüz kişi yok", "No contacts yet";
    NoContactsBody: "CRM’inizden aktarın: “muhatap import contacts kisiler.csv”. Bir yazar, dayanak olmadan ya da siz bağlamadan kişi sayılmaz.", "Bring them from your CRM: “muhatap import contacts contacts.csv”. An author is not a contact until there is evidence or you link them.";
    NoContactsMatchTitle: "“{0}” ile eşleşen kişi yok", "No contact matches “{0}”";
    NoContactsMatchBody: "Başka bir yazımla ya da daha kısa bir kelimeyle deneyin.", "Try another spelling or a shorter word.";
    Email: "E-posta", "E-mail";
    Phone: "Telefon", "Phone";
    Company: "Şirket", "Company";
    CustomerNumber: "Müşteri numarası", "Customer number";
    OtherFields: "Diğer alanlar", "Other fields";
    LinkedAuthors: "Bağlı yazarlar", "Linked authors";
    NoLinkedAuthors: "Bu kişiye bağlı bir yazar yok.", "No author is linked to this contact.";
    MergeTitle: "Başka bir kişiyle birleştir", "Merge with another contact";
    MergeMore: "Bulunan kişi bu kişinin içine alınır. Birleştirme her zaman geri alınabilir.", "The one you find is taken into this one. A merge can always be undone.";
    Merge: "Birleştir", "Merge";
    MergedInto: "Bu kişi {0} ile birleştirildi.", "This contact was merged into {0}.";
    Merges: "Birleştirmeler", "Merges";
    MergeLine: "{0}, {1} tarafından {2}", "{0}, by {1}, {2}";
    Unmerge: "Birleştirmeyi geri al", "Undo the merge";
    Undone: "geri alındı", "undone";
    Unmerged: "Birleştirme geri alındı.", "The merge is undone.";
    Merged: "Birleştirildi.", "Merged.";
    Linked: "Bağlandı.", "Linked.";
    Unlinked: "Bağ kaldırıldı.", "Unlinked.";
    ContactMentions: "Mesajları", "Mentions";
    Name: "Ad", "Name";

    // Users and signing in.
    SignIn: "Giriş yap", "Sign in";
    UserName: "Kullanıcı adı", "User name";
    Password: "Parola", "Password";
    PasswordAgain: "Parola (yeniden)", "Password (again)";
    SignInFailed: "Kullanıcı adı ya da parola yanlış.", "The user name or the password is wrong.";
    SignInSlow: "Çok fazla deneme yapıldı. {0} sonra yeniden deneyin.", "Too many attempts. Try again in {0}.";
    SetupTitle: "İlk kullanıcıyı oluşturun", "Create the first user";
    SetupBody: "Bu bağlantı yalnızca bir kez çalışır. Oluşturduğunuz kullanıcı yönetici olur.", "This link works once. The user you create is an admin.";
    SetupDone: "Kullanıcı oluşturuldu. Şimdi giriş yapabilirsiniz.", "The user is created. You can sign in now.";
    SetupInvalid: "Bu kurulum bağlantısı geçersiz ya da kullanılmış. Yeni bir kullanıcıyı “muhatap user add” ile oluşturun.", "This set-up link is invalid or already used. Create a user with “muhatap user add”.";
    PasswordsDiffer: "İki parola aynı değil.", "The two passwords differ.";
    PasswordTooWeak: "Parola en az 10 karakter olmalı ve kullanıcı adıyla aynı olmamalı.", "The password needs at least 10 characters and must not be the user name.";
    UserNameInvalid: "Kullanıcı adı 1 ile 64 karakter arasında olmalı.", "The user name must have 1 to 64 characters.";
    Seconds: "{0} saniye", "{0} second|{0} seconds";
    Minutes: "{0} dakika", "{0} minute|{0} minutes";
    CreateUser: "Kullanıcı oluştur", "Create user";
    Role: "Rol", "Role";
    RoleAdmin: "Yönetici", "Admin";
    RoleAgent: "Temsilci", "Agent";
    RoleViewer: "İzleyici", "Viewer";
    UserDisabled: "Kapalı", "Disabled";
    UserActive: "Etkin", "Active";
    DisableUser: "Kapat", "Disable";
    EnableUser: "Aç", "Enable";
    UserCreated: "Kullanıcı oluşturuldu.", "The user is created.";
    UserChanged: "Kullanıcı değiştirildi.", "The user is changed.";
    NoUsersTitle: "Henüz kullanıcı yok", "No users yet";
    NoUsersBody: "Bu bilgisayarda giriş gerekmez. Konsolu başka adreslerden açmak ya da konuşmaları kişilere atamak için kullanıcı ekleyin.", "No login is needed on this machine. Add users to open the console from elsewhere, or to assign conversations to people.";
    ConsoleLanguage: "Konsol dili", "Console language";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(text: &str) -> Vec<&str> {
        let mut found: Vec<&str> =
            text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn both_languages_have_every_text_with_the_same_places_to_fill() {
        for text in Text::ALL {
            let (turkish, english) = (text.in_language(Language::Turkish), text.in_language(Language::English));
            assert!(!turkish.trim().is_empty() && !english.trim().is_empty(), "{text:?} is empty in a language");
            assert_eq!(placeholders(turkish), placeholders(english), "{text:?}");
            for form in english.split('|').chain(turkish.split('|')) {
                assert_eq!(placeholders(form), placeholders(english), "{text:?}: a plural form lacks a value");
            }
        }
    }
}
