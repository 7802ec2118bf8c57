"""`python -m dragoman`, so that torchrun can start it."""

from dragoman.cli import main

raise SystemExit(main())
