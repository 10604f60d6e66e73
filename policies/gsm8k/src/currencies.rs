//! Names of currencies.

/// Names of currencies that may touch their amount.
pub(crate) const CURRENCIES: [&str; 9] = ["Rs", "rs", "USD", "US", "EUR", "GBP", "INR", "CAD", "AUD"];
/// Currencies of countries that write decimal commas, in small letters. None has thousandths.
pub(crate) const EUROS: [&str; 12] =
    ["€", "euro", "euros", "eur", "reais", "рублей", "рубля", "руб", "zł", "kronen", "kronor", "lei"];
