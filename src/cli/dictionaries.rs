//! `muhatap dictionaries`: word dictionaries of Japanese, Chinese and Korean, built from packages on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use lindera_dictionary::builder::DictionaryBuilder;
use lindera_dictionary::dictionary::metadata::Metadata;
use serde_json::json;

use super::UsageError;
use crate::analyze::{DictionaryPaths, mecab, names};
use crate::config::Config;

/// Build and list the word dictionaries of Japanese, Chinese and Korean
///
/// Names of brands and products that no dictionary has are written into names.txt beside the dictionaries, one a line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  apt install mecab-ipadic && muhatap dictionaries build ja")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build dictionaries from packages that are installed on this machine; nothing is downloaded
    Build {
        /// Which ones; all whose package is installed unless given
        languages: Vec<Dictionary>,
        /// Where the package's files lie, when not where they usually do; for one language
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
    },
    /// List the dictionaries, whether they are built, and what they are built from
    List {
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dictionary {
    /// Japanese
    Ja,
    /// Chinese
    Zh,
    /// Korean
    Ko,
}

impl Dictionary {
    const ALL: [Dictionary; 3] = [Self::Ja, Self::Zh, Self::Ko];

    fn code(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::Zh => "zh",
            Self::Ko => "ko",
        }
    }

    /// What a person installs to have the words.
    fn package(self) -> &'static str {
        match self {
            Self::Ja => "Debian's mecab-ipadic (apt install mecab-ipadic)",
            Self::Zh => "PyPI's jieba (pip install jieba)",
            Self::Ko => "PyPI's python-mecab-ko-dic (pip install python-mecab-ko-dic)",
        }
    }

    /// Where the package's files are, if it is installed.
    fn find(self) -> Option<PathBuf> {
        let found = match self {
            Self::Ja => {
                ["/usr/share/mecab/dic/ipadic", "/usr/local/lib/mecab/dic/ipadic", "/opt/homebrew/lib/mecab/dic/ipadic"]
                    .iter()
                    .map(PathBuf::from)
                    .find(|folder| self.is_source(folder))
            }
            Self::Zh => python_package("jieba"),
            Self::Ko => python_package("mecab_ko_dic").map(|folder| folder.join("dictionary")),
        };
        found.filter(|folder| self.is_source(folder))
    }

    fn is_source(self, folder: &Path) -> bool {
        let needed: &[&str] = match self {
            Self::Ja => &["char.def", "unk.def", "matrix.def"],
            Self::Zh => &["dict.txt"],
            Self::Ko => &["sys.dic", "unk.dic", "matrix.bin", "char.bin"],
        };
        needed.iter().all(|name| folder.join(name).is_file())
    }

    fn metadata(self) -> Metadata {
        let (name, encoding, details) = match self {
            Self::Ja => (
                "ipadic",
                "EUC-JP",
                "part_of_speech part_of_speech_subcategory_1 part_of_speech_subcategory_2 part_of_speech_subcategory_3 \
                 conjugation_form conjugation_type base_form reading pronunciation",
            ),
            Self::Zh => ("jieba", "UTF-8", "part_of_speech"),
            Self::Ko => {
                ("ko-dic", "UTF-8", "part_of_speech meaning final_consonant reading type first last expression")
            }
        };
        let fields: Vec<&str> = ["surface", "left_context_id", "right_context_id", "cost"]
            .into_iter()
            .chain(details.split_whitespace())
            .collect();
        let metadata = json!({
            "name": name, "encoding": encoding, "default_word_cost": -10_000, "default_left_context_id": 0,
            "default_right_context_id": 0, "default_field_value": "*", "flexible_csv": true,
            "skip_invalid_cost_or_id": false, "normalize_details": true, "model_info": null,
            "dictionary_schema": { "fields": fields },
            "user_dictionary_schema": { "fields": ["surface", "part_of_speech", "reading"] },
        });
        serde_json::from_value(metadata).expect("the fields are those of lindera's metadata")
    }

    /// Builds into `target`, which is whole or not there.
    fn build(self, source: &Path, target: &Path) -> Result<(), anyhow::Error> {
        let parent = target.parent().context("the folder has no parent")?;
        fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
        let work = tempfile_in(parent)?;
        let result = self.build_in(source, &work).and_then(|built| {
            if target.exists() {
                fs::remove_dir_all(target).with_context(|| format!("{} cannot be replaced", target.display()))?;
            }
            fs::rename(&built, target).with_context(|| format!("{} cannot be written", target.display()))
        });
        let _ = fs::remove_dir_all(&work);
        result
    }

    fn build_in(self, source: &Path, work: &Path) -> Result<PathBuf, anyhow::Error> {
        let readable = work.join("source");
        fs::create_dir(&readable)?;
        let source = match self {
            Self::Ja => source,
            Self::Zh => {
                write_chinese(&source.join("dict.txt"), &readable)?;
                &readable
            }
            Self::Ko => {
                mecab::decompile(source, &readable)
                    .with_context(|| format!("{} is not a compiled MeCab dictionary", source.display()))?;
                &readable
            }
        };
        let built = work.join("built");
        fs::create_dir(&built)?;
        DictionaryBuilder::new(self.metadata())
            .build_dictionary(source, &built)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(built)
    }
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let folder = config.dictionaries_dir();
    match args.action {
        Action::List { json } => list(&folder, json),
        Action::Build { languages, from } => {
            if from.is_some() && languages.len() != 1 {
                return Err(UsageError(
                    "--from belongs to one language: muhatap dictionaries build ja --from PATH".into(),
                )
                .into());
            }
            tokio::task::spawn_blocking(move || build(&folder, &languages, from.as_deref())).await?
        }
    }
}

fn list(folder: &Path, json: bool) -> Result<ExitCode, anyhow::Error> {
    for dictionary in Dictionary::ALL {
        let built = folder.join(dictionary.code());
        let is_built = built.join("metadata.json").is_file();
        let source = dictionary.find();
        if json {
            let row = json!({ "language": dictionary.code(), "built": is_built, "folder": built, "source": source, "package": dictionary.package() });
            println!("{row}");
        } else {
            let state = if is_built { "built    " } else { "not built" };
            let from = source.map_or_else(
                || format!("install {}", dictionary.package()),
                |source| format!("from {}", source.display()),
            );
            println!("{}  {state}  {}  {from}", dictionary.code(), built.display());
        }
    }
    let file = DictionaryPaths::under(folder).names.context("the folder has a file of names")?;
    let names = names(&file).with_context(|| format!("{} cannot be read: mend or remove it", file.display()))?;
    if json {
        println!("{}", json!({ "names": names.len(), "file": file }));
    } else {
        println!("names of brands and products, never cut: {} in {}", names.len(), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn build(folder: &Path, languages: &[Dictionary], from: Option<&Path>) -> Result<ExitCode, anyhow::Error> {
    let chosen = if languages.is_empty() { Dictionary::ALL.to_vec() } else { languages.to_vec() };
    let (mut built, mut failed) = (0, 0);
    for dictionary in chosen {
        let code = dictionary.code();
        let source = match from {
            Some(from) if dictionary.is_source(from) => Some(from.to_owned()),
            Some(from) => {
                return Err(UsageError(format!(
                    "{} does not hold the files of {}",
                    from.display(),
                    dictionary.package()
                ))
                .into());
            }
            None => dictionary.find(),
        };
        let Some(source) = source else {
            eprintln!("{code}: no words on this machine; install {}, then run this again", dictionary.package());
            // Asked for all, what is not installed is left out; asked for by name, it failed.
            failed += usize::from(!languages.is_empty());
            continue;
        };
        eprintln!("{code}: building from {} …", source.display());
        let start = Instant::now();
        match dictionary.build(&source, &folder.join(code)) {
            Ok(()) => {
                built += 1;
                eprintln!("{code}: built in {:.1} s: {}", start.elapsed().as_secs_f64(), folder.join(code).display());
            }
            Err(error) => {
                failed += 1;
                eprintln!("{code}: {error:#}");
            }
        }
    }
    if built == 0 && failed == 0 {
        bail!("nothing was built: none of the packages is installed");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The folder of an installed Python package, found without running any of it.
fn python_package(name: &str) -> Option<PathBuf> {
    const FIND: &str = "import importlib.util, sys; spec = importlib.util.find_spec(sys.argv[1]); \
                        print(spec.submodule_search_locations[0] if spec else '')";
    let found =
        Command::new("python3").args(["-c", FIND, name]).output().ok().filter(|output| output.status.success())?;
    let folder = String::from_utf8(found.stdout).ok()?;
    Some(PathBuf::from(folder.trim())).filter(|folder| folder.is_dir())
}

/// A new folder beside the dictionaries, so that the finished one can be moved into place at once.
fn tempfile_in(parent: &Path) -> Result<PathBuf, anyhow::Error> {
    let folder = parent.join(format!(".building-{}-{:08x}", std::process::id(), rand::random::<u32>()));
    fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

/// Chinese words with how often they occur, as a dictionary of unigrams: the rarer, the dearer.
fn write_chinese(words: &Path, target: &Path) -> Result<(), anyhow::Error> {
    let text = fs::read_to_string(words).with_context(|| format!("{} cannot be read", words.display()))?;
    let rows: Vec<(&str, f64, &str)> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (word, count) = (fields.next()?, fields.next()?.parse::<f64>().ok()?);
            Some((word, count.max(1.0), fields.next().unwrap_or("*")))
        })
        .collect();
    if rows.is_empty() {
        bail!("{} holds no line of the form \"word count class\"", words.display());
    }
    let total: f64 = rows.iter().map(|(_, count, _)| count).sum();
    let mut csv = csv::Writer::from_path(target.join("words.csv"))?;
    for (word, count, class) in rows {
        let cost = (-1_000.0 * (count / total).ln()).clamp(0.0, 30_000.0).round();
        csv.write_record([word, "0", "0", &cost.to_string(), class])?;
    }
    csv.flush()?;
    fs::write(target.join("matrix.def"), "1 1\n0 0 0\n")?;
    fs::write(
        target.join("char.def"),
        "DEFAULT 0 1 0\nSPACE 0 1 0\nALPHA 1 1 0\nNUMERIC 1 1 0\nHAN 0 0 1\n0x0020 SPACE\n0x0009..0x000D SPACE\n\
         0x0030..0x0039 NUMERIC\n0x0041..0x005A ALPHA\n0x0061..0x007A ALPHA\n0x00C0..0x024F ALPHA\n0x3400..0x4DBF HAN\n0x4E00..0x9FFF HAN\n",
    )?;
    // A character the list does not know stands alone, dearer than any word.
    fs::write(
        target.join("unk.def"),
        "DEFAULT,0,0,20000,*\nSPACE,0,0,20000,*\nALPHA,0,0,12000,eng\nNUMERIC,0,0,12000,m\nHAN,0,0,20000,*\n",
    )?;
    Ok(())
}
