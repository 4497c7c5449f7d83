from . import stacks as stacks
from .datalist import load_datalist as load_datalist
from .folds import load_fold as load_fold
from .studies import Case as Case
from .studies import find_cases as find_cases
