//! What `muhatap corpus check` promises, through the real binary.

use std::path::Path;
use std::process::{Command, Output};

const HEADER: &str = "sentiment\tintents\tlanguage\ttext\n";

fn check(folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muhatap"));
    command.args(["corpus", "check"]).arg(folder).env_clear().current_dir(folder);
    command.output().expect("the binary runs")
}

fn write(folder: &Path, file: &str, lines: &str) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder can be made");
    std::fs::write(path, lines).expect("a file can be written");
}

#[test]
fn a_clean_corpus_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let cargo =
        "negative\tcomplaint,question\ttr\tKargom nerede kaldı?\npositive\tpraise\ttr\tçok hızlı, teşekkürler\n";
    write(folder.path(), "tr/cargo.tsv", &format!("{HEADER}{cargo}"));
    write(folder.path(), "en/food.tsv", &format!("{HEADER}neutral\tquestion\ten\tare you open today?\n"));
    write(folder.path(), "labels/posts.tsv", "id\tsentiment\tintents\np-1\tneutral\tother\n");
    write(folder.path(), "languages/az.txt", "Sifarişim gəlməyib\n");
    let output = check(folder.path());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let counts = |sector: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(sector)).unwrap_or_else(|| panic!("{sector}: {text}"));
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    };
    // Rows; negative, neutral, positive; complaint, question, request, praise, suggestion, purchase, spam, other.
    assert_eq!(counts("tr/cargo"), ["tr", "2", "1", "0", "1", "1", "1", "0", "1", "0", "0", "0", "0"]);
    assert_eq!(counts("en/food"), ["en", "1", "0", "1", "0", "0", "1", "0", "0", "0", "0", "0", "0"]);
    assert_eq!(counts("all"), ["3", "1", "1", "1", "1", "2", "0", "1", "0", "0", "0", "0"]);
    assert!(text.ends_with("0 to mend\n"), "{text}");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = "negative\tcomplaint\ttr\tKargom beş gündür dağıtımda görünüyor\n\
                 angry\tcomplaint\ttr\tbu ne biçim iş\n\
                 negative\tcomplaint\n\
                 negative\tcomplaint,other\ttr\tpaket ezik geldi\n\
                 neutral\tquestion\ttr\tşubeniz kaça kadar açık acaba bugün\n";
    let refunds = "negative\tcomplaint\ttr\tKARGOM BES GUNDUR DAGITIMDA GORUNUYOR!\n\
                   negative\tcomplaint\ttr\tşubeniz kaça kadar açık acaba yarın\n";
    write(folder.path(), "tr/cargo.tsv", &format!("{HEADER}{cargo}"));
    write(folder.path(), "tr/refunds.tsv", &format!("{HEADER}{refunds}"));
    write(folder.path(), "tr/telecom.tsv", "text\n");
    write(folder.path(), "labels/posts.tsv", "id\tsentiment\tintents\np-1\tneutral\tother\np-1\tneutral\tchat\n");
    write(folder.path(), "languages/az.txt", "Sifarişim gəlməyib\n\nsifarisim gəlməyib\n");
    let output = check(folder.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for said in [
        "cargo.tsv:3: \"angry\" is not one of negative, neutral, positive",
        "cargo.tsv:4: 2 fields instead of 4",
        "cargo.tsv:5: \"other\" stands beside another intent",
        "cargo.tsv:2: keep one of them",
        "labelled negative complaint and not neutral question",
        "telecom.tsv:1: the header is \"text\"",
        "posts.tsv:3: \"chat\" is not one of complaint",
        "posts.tsv:2: keep one of them",
        "az.txt:2: an empty line",
        "az.txt:1: keep one of them",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.ends_with("10 to mend\n"), "{text}");
}

#[test]
fn the_corpus_of_this_repository_is_clean() {
    let output = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_folder_that_is_not_there_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_muhatap"))
        .args(["corpus", "check", "missing"])
        .env_clear()
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing"), "{output:?}");
}
