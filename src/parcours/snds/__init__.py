"""The source as it is: table contracts by year, products, deliveries, sentinels."""
