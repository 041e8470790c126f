"""Teaching: examples of a sound become a label that can be asked for again."""

from unbraid.models.queries import Query, add_query, load_query, save_query
from unbraid.teaching.library import any_query, find_query, learned_by, place_of
from unbraid.teaching.teacher import teach
from unbraid.teaching.tuning import TeachSettings

__all__ = [
    "Query",
    "TeachSettings",
    "add_query",
    "any_query",
    "find_query",
    "learned_by",
    "load_query",
    "place_of",
    "save_query",
    "teach",
]
