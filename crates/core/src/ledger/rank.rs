//! Where a message comes among those of its queue: one number, because every delivery is found by it.

/// A message's order is below this: numbers of messages have 50 bits.
const ORDER_BITS: u32 = 56;

/// Higher priority first, then order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rank(u64);

impl Rank {
    /// No rank comes before it.
    pub const FIRST: Self = Self(0);

    /// The rank of a message with this priority and order.
    #[must_use]
    pub const fn new(priority: u8, order: u64) -> Self {
        let order = order & ((1 << ORDER_BITS) - 1);
        Self(((u8::MAX - priority) as u64) << ORDER_BITS | order)
    }

    /// As a number, in the same order.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The rank of a number.
    #[must_use]
    pub const fn of(number: u64) -> Self {
        Self(number)
    }

    /// The rank of something of the same priority whose turn is this.
    #[must_use]
    pub const fn in_turn(self, turn: u64) -> Self {
        Self::new(u8::MAX - (self.0 >> ORDER_BITS) as u8, turn)
    }

    /// The first rank of the next lower priority; none behind the lowest.
    #[must_use]
    pub const fn of_next_priority(self) -> Option<Self> {
        match ((self.0 >> ORDER_BITS) as u8).checked_add(1) {
            Some(next) => Some(Self((next as u64) << ORDER_BITS)),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_priorities_come_first_and_equal_ones_in_order() {
        let mut ranks = [
            Rank::new(0, 1),
            Rank::new(255, 3),
            Rank::new(7, 2),
            Rank::new(7, 1),
        ];
        ranks.sort_unstable();
        let expected = [
            Rank::new(255, 3),
            Rank::new(7, 1),
            Rank::new(7, 2),
            Rank::new(0, 1),
        ];
        assert_eq!(ranks, expected);
    }

    #[test]
    fn a_turn_keeps_the_priority() {
        assert_eq!(Rank::new(7, 9).in_turn(3), Rank::new(7, 3));
    }

    #[test]
    fn each_priority_has_a_first_rank() {
        assert_eq!(Rank::new(255, 0), Rank::FIRST);
        assert_eq!(Rank::new(8, 9).of_next_priority(), Some(Rank::new(7, 0)));
        assert_eq!(Rank::new(0, 9).of_next_priority(), None);
    }
}
