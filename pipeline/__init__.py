"""Networks, patch inference, training, evaluation, export, cohorts, phantoms and the command line of ctvol."""
