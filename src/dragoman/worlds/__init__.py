"""Built-in benchmark images."""
