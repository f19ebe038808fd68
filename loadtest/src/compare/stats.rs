//! The Mann–Whitney U test: may two sets of repeats have the same distribution? The test uses ranks
//! only, so one outlier does not decide, and it assumes no distribution. It is exact with ties, which the exact test of
//! `statrs` refuses.

/// With up to this many runs on each side the test is exact; with more it uses the normal distribution.
const MAX_EXACT: usize = 8;

/// The two-sided p value: how often chance alone makes a difference at least this large. `None` if a side is empty.
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

/// Twice the ranks of the values of `a`, then of `b`, and the sizes of the ties. Equal values share their mean rank;
/// twice that is a whole number.
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

/// Of all ways to choose `count` ranks, the share with a sum at least as far from the middle as that of the first
/// `count`.
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

/// By the normal distribution, with corrections for ties and for continuity.
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

    #[test]
    fn the_exact_test_agrees_with_counts_by_hand() {
        let cases: [(&[f64], &[f64], f64); 8] = [
            // Separated: two of C(n + m, n) ways are that far out, all low and all high.
            (&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 2.0 / 20.0),
            (&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0], 2.0 / 70.0),
            (&[5.0, 6.0, 7.0, 8.0], &[1.0, 2.0, 3.0, 4.0], 2.0 / 70.0),
            // n = m = 3: U = 0, 1, 2, 3, 4 … have 1, 1, 2, 3, 3 … of 20 ways. Here U is 1, then 2.
            (&[1.0, 2.0, 4.0], &[3.0, 5.0, 6.0], 4.0 / 20.0),
            (&[1.0, 2.0, 5.0], &[3.0, 4.0, 6.0], 8.0 / 20.0),
            // n = 2, m = 3: U = 0 … 6 have 1, 1, 2, 2, 2, 1, 1 of 10 ways. Here U is 1.
            (&[1.0, 3.0], &[2.0, 4.0, 5.0], 4.0 / 10.0),
            // Ties. Ranks 1.5, 1.5 | 3, 4: one way has the two low ranks, one the two high ones.
            (&[1.0, 1.0], &[2.0, 3.0], 2.0 / 6.0),
            (&[5.0; 4], &[5.0; 4], 1.0),
        ];
        for (a, b, expected) in cases {
            let p = mann_whitney(a, b).unwrap();
            assert!((p - expected).abs() < 1e-9, "{a:?} {b:?}: {p}");
        }
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }

    #[test]
    fn many_runs_agree_with_the_normal_distribution() {
        // n = m = 9, separated: U = 0, mean 40.5, variance 128.25, z = 40 / 11.3248 = 3.5321, p = 0.000412.
        let a: Vec<f64> = (0..9).map(f64::from).collect();
        let b: Vec<f64> = (9..18).map(f64::from).collect();
        for (a, b, expected) in [(&a, &b, 0.000_412), (&vec![5.0; 20], &vec![5.0; 20], 1.0)] {
            let p = mann_whitney(a, b).unwrap();
            assert!((p - expected).abs() < 2e-6, "{p}");
        }
    }
}
