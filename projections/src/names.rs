//! Names as people look for them: without marks, case or order.

/// Splits a name into its words, lower case and without Vietnamese marks, so that `Nguyễn Văn Á` is
/// found by `nguyen van a`.
pub(crate) fn words(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphanumeric() && !mark(c))
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.chars()
                .flat_map(char::to_lowercase)
                .filter_map(plain)
                .collect()
        })
        .filter(|word: &String| !word.is_empty())
        .collect()
}

/// Returns the letter without its marks; `None` for a combining mark by itself.
fn plain(letter: char) -> Option<char> {
    Some(match letter {
        'à' | 'á' | 'ả' | 'ã' | 'ạ' | 'ă' | 'ằ' | 'ắ' | 'ẳ' | 'ẵ' | 'ặ' | 'â' | 'ầ' | 'ấ' | 'ẩ'
        | 'ẫ' | 'ậ' | 'ä' | 'å' => 'a',
        'è' | 'é' | 'ẻ' | 'ẽ' | 'ẹ' | 'ê' | 'ề' | 'ế' | 'ể' | 'ễ' | 'ệ' | 'ë' => {
            'e'
        }
        'ì' | 'í' | 'ỉ' | 'ĩ' | 'ị' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ỏ' | 'õ' | 'ọ' | 'ô' | 'ồ' | 'ố' | 'ổ' | 'ỗ' | 'ộ' | 'ơ' | 'ờ' | 'ớ' | 'ở'
        | 'ỡ' | 'ợ' | 'ö' => 'o',
        'ù' | 'ú' | 'ủ' | 'ũ' | 'ụ' | 'ư' | 'ừ' | 'ứ' | 'ử' | 'ữ' | 'ự' | 'û' | 'ü' => {
            'u'
        }
        'ỳ' | 'ý' | 'ỷ' | 'ỹ' | 'ỵ' | 'ÿ' => 'y',
        'đ' => 'd',
        'ñ' => 'n',
        'ç' => 'c',
        other if mark(other) => return None,
        other => other,
    })
}

/// A combining mark, which decomposed text writes after its letter.
fn mark(letter: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&letter)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_name_is_found_without_its_marks_composed_or_not() {
        assert_eq!(words("Nguyễn  Văn-Đức"), ["nguyen", "van", "duc"]);
        assert_eq!(words("Nguye\u{302}\u{303}n"), ["nguyen"]);
        assert_eq!(words(" . "), Vec::<String>::new());
    }
}
