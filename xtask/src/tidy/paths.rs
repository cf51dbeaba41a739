//! No text of the repository names a folder of the machine that it was written on.

use super::Finding;

/// Folders at the top of somebody's machine, where working copies lie.
const TOP_FOLDERS: [&str; 4] = ["home", "root", "Users", "work"];

/// Every line that holds an absolute path below one of these folders.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for folder in TOP_FOLDERS {
            if names_folder(line, &format!("/{folder}/")) {
                let place = format!("{path}:{}", number + 1);
                findings.push(Finding::error(
                    place,
                    format!("names a path below /{folder}: write it from the repository's root"),
                ));
            }
        }
    }
    findings
}

/// Whether the prefix begins a path in this line, rather than standing in the middle of one or of a URL.
fn names_folder(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(start, _)| {
        let continues = |c: char| c.is_alphanumeric() || "._-~*}/".contains(c);
        // A URL with an empty host, such as file:, leads to a path of this machine too.
        !line[..start].ends_with(continues) || line[..start].ends_with("://")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Put together here, or this file would break its own rule.
    fn below(folder: &str) -> String {
        format!("/{folder}/x/file")
    }

    #[test]
    fn absolute_paths_of_one_machine_are_found_in_their_line() {
        for folder in TOP_FOLDERS {
            let text = format!("fine\nsee \"{}\"\nfile://{}\n", below(folder), below(folder));
            let places: Vec<_> = check("a.md", &text).into_iter().map(|finding| finding.place).collect();
            assert_eq!(places, ["a.md:2", "a.md:3"], "{folder}");
        }
    }

    #[test]
    fn the_middle_of_a_path_or_of_a_url_is_none() {
        let path = below("work");
        assert_eq!(
            check("a.md", &format!("docs{path} https://e.test{path} ${{dir}}{path} /var/lib/tidings")),
            []
        );
    }
}
