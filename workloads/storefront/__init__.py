"""The film rental company's storefront: browse, rent and return films."""
