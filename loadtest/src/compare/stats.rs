//! Median, spread, and the Mann–Whitney U test: could two sets of repeats be of one kind? The test looks at ranks
//! only, so one wild run does not decide, and nothing is assumed about how figures are distributed.

/// Up to so many on each side all ways to deal out the ranks are counted; beyond, the normal distribution stands in.
const MAX_EXACT: usize = 8;

/// The middle value; of an even number the mean of the two. `None` of none.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The smallest and the largest. `None` of none.
pub(super) fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    Some((least, most))
}

/// How likely a difference at least as large as between these would be by chance alone; two-sided. `None` if a
/// side is empty.
pub(super) fn mann_whitney(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (ranks, ties) = doubled_ranks(a, b);
    if a.len() <= MAX_EXACT && b.len() <= MAX_EXACT {
        Some(exact(&ranks, a.len()))
    } else {
        Some(approximate(&ranks, a.len(), &ties))
    }
}

/// Twice the rank of each of `a` and then of `b` among all, where equal values share the mean of theirs (hence
/// twice: these are whole numbers); and how many were equal, each time.
fn doubled_ranks(a: &[f64], b: &[f64]) -> (Vec<u64>, Vec<usize>) {
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let ranks = all
        .iter()
        .map(|value| {
            let below = all.iter().filter(|other| other.total_cmp(value).is_lt()).count();
            let equal = all.iter().filter(|other| other.total_cmp(value).is_eq()).count();
            // The mean of ranks below + 1 … below + equal.
            (2 * below + equal + 1) as u64
        })
        .collect();
    let mut sorted = all;
    sorted.sort_by(f64::total_cmp);
    let ties = sorted
        .chunk_by(|x, y| x.total_cmp(y).is_eq())
        .map(<[f64]>::len)
        .collect();
    (ranks, ties)
}

/// The share of all ways to choose `count` of the ranks whose sum is at least as far from the middle as that of
/// the first `count`.
fn exact(ranks: &[u64], count: usize) -> f64 {
    let total: u64 = ranks.iter().sum();
    let all = ranks.len() as u64;
    // Sums are compared after multiplication by the number of ranks, which keeps the middle a whole number.
    let distance = |sum: u64| (sum * all).abs_diff(total * count as u64);
    let seen = distance(ranks.iter().take(count).sum());
    let (mut ways, mut extreme) = (0_u32, 0_u32);
    for chosen in 0_u32..1 << ranks.len() {
        if chosen.count_ones() as usize != count {
            continue;
        }
        let sum = ranks
            .iter()
            .enumerate()
            .filter(|(place, _)| chosen >> place & 1 == 1)
            .map(|(_, rank)| rank)
            .sum();
        ways += 1;
        extreme += u32::from(distance(sum) >= seen);
    }
    f64::from(extreme) / f64::from(ways)
}

/// By the normal distribution, with corrections for ties and for U being a whole number.
#[expect(clippy::cast_precision_loss, reason = "counts of runs are small")]
fn approximate(ranks: &[u64], count: usize, ties: &[usize]) -> f64 {
    let (n, m) = (count as f64, (ranks.len() - count) as f64);
    let all = n + m;
    let sum = ranks.iter().take(count).sum::<u64>() as f64 / 2.0;
    let u = sum - n * (n + 1.0) / 2.0;
    let tied: f64 = ties.iter().map(|&tie| (tie as f64).powi(3) - tie as f64).sum();
    let variance = n * m / 12.0 * (all + 1.0 - tied / (all * (all - 1.0)));
    if variance <= 0.0 {
        // All values are equal.
        return 1.0;
    }
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    libm::erfc(z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(a: &[f64], b: &[f64]) -> f64 {
        mann_whitney(a, b).unwrap()
    }

    fn is_near(value: f64, wanted: f64) -> bool {
        (value - wanted).abs() < 1e-9
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!((median(&[]), range(&[])), (None, None));
        assert_eq!(range(&[4.0, 1.0, 9.0]), Some((1.0, 9.0)));
    }

    #[test]
    fn fully_separated_runs_have_the_least_p_there_is() {
        // Two of C(n+m, n) ways are that far out: all low, or all high.
        assert!(is_near(p(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 2.0 / 20.0));
        assert!(is_near(
            p(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0]),
            2.0 / 70.0
        ));
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]);
        assert!(is_near(p(&a, &b), 2.0 / 252.0) && is_near(p(&b, &a), 2.0 / 252.0));
    }

    #[test]
    fn the_exact_test_agrees_with_the_distribution_counted_by_hand() {
        // n = m = 3: U = 0, 1, 2, 3, 4 … come in 1, 1, 2, 3, 3 … of 20 ways. Here U is 1, then 2.
        assert!(is_near(p(&[1.0, 2.0, 4.0], &[3.0, 5.0, 6.0]), 4.0 / 20.0));
        assert!(is_near(p(&[1.0, 2.0, 5.0], &[3.0, 4.0, 6.0]), 8.0 / 20.0));
        // n = 2, m = 3: U = 0 … 6 come in 1, 1, 2, 2, 2, 1, 1 of 10 ways. Here U is 1.
        assert!(is_near(p(&[1.0, 3.0], &[2.0, 4.0, 5.0]), 4.0 / 10.0));
    }

    #[test]
    fn equal_values_share_their_ranks() {
        assert!(is_near(p(&[5.0; 4], &[5.0; 4]), 1.0));
        // Ranks 1.5, 1.5 | 3, 4: the two low ones can be chosen in one way, the two high ones in one.
        assert!(is_near(p(&[1.0, 1.0], &[2.0, 3.0]), 2.0 / 6.0));
        assert!(is_near(p(&[5.0; 20], &[5.0; 20]), 1.0));
    }

    #[test]
    fn many_runs_agree_with_the_normal_distribution() {
        // n = m = 9, separated: U = 0, mean 40.5, variance 128.25, z = 40 / 11.3248 = 3.5321, p = 0.000412.
        let a: Vec<f64> = (0..9).map(f64::from).collect();
        let b: Vec<f64> = (9..18).map(f64::from).collect();
        assert!((p(&a, &b) - 0.000_412).abs() < 2e-6, "{}", p(&a, &b));
        // With U at its middle, anything is at least as far out.
        assert!(p(&[1.0; 9], &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]) > 0.999);
    }

    #[test]
    fn no_runs_say_nothing() {
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }
}
