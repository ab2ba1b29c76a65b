//! Durations and sizes as people write them: `"500ms"`, `"4MiB"`.

use std::time::Duration;

/// Reads a duration: a whole or decimal number with `ms`, `s`, `m`, `h` or `d`, without a space. At most 366 days.
///
/// # Errors
///
/// A sentence that says what is wrong and what to write instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let unit_ms = match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        "" => {
            return Err(format!(
                "the duration `{text}` has no unit; write for example `{text}ms` or `{text}s`"
            ));
        }
        other => {
            return Err(format!(
                "`{other}` is no unit of time; use ms, s, m, h or d"
            ));
        }
    };
    let value = decimal(number)
        .ok_or_else(|| format!("`{number}` is no number; write for example `500ms`"))?;
    let ms = value * unit_ms;
    if ms > 366.0 * 86_400_000.0 {
        return Err(format!("the duration `{text}` is longer than 366 days"));
    }
    Ok(Duration::from_micros((ms * 1_000.0).round() as u64))
}

/// Reads a size: a whole or decimal number with `B`, `KB`, `MB`, `GB` (powers of 1,000) or `KiB`, `MiB`, `GiB`
/// (powers of 1,024), without a space. At most 1 TiB.
///
/// # Errors
///
/// A sentence that says what is wrong and what to write instead.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let unit_bytes: u64 = match unit {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "" => {
            return Err(format!(
                "the size `{text}` has no unit; write for example `{text}KiB` or `{text}MiB`"
            ));
        }
        other => {
            return Err(format!(
                "`{other}` is no unit of size; use B, KiB, MiB, GiB (or KB, MB, GB)"
            ));
        }
    };
    let value = decimal(number)
        .ok_or_else(|| format!("`{number}` is no number; write for example `4MiB`"))?;
    let bytes = value * unit_bytes as f64;
    if bytes > (1u64 << 40) as f64 {
        return Err(format!("the size `{text}` is larger than 1 TiB"));
    }
    Ok(bytes.round() as u64)
}

fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    (&text[..end], &text[end..])
}

fn decimal(text: &str) -> Option<f64> {
    let shaped = !text.is_empty()
        && text.len() <= 18
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.as_bytes()[0].is_ascii_digit();
    if shaped { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_carry_their_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(size("4MiB"), Ok(4 << 20));
        assert_eq!(size("256KB"), Ok(256_000));
    }

    #[test]
    fn a_missing_or_wrong_unit_is_named_with_the_remedy() {
        assert!(duration("500").unwrap_err().contains("500ms"));
        assert!(duration("5min").unwrap_err().contains("ms, s, m, h or d"));
        assert!(size("4").unwrap_err().contains("4KiB"));
        assert!(size("4mb").unwrap_err().contains("MiB"));
        for bad in ["", "ms", "-5s", "1e3s", "5 s", "..s", "367d", "٣s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(size("1025GiB").is_err());
    }
}
