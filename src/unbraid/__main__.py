"""``python -m unbraid`` is the command line."""

from unbraid.cli.main import main

if __name__ == "__main__":
    main()
