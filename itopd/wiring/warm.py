"""What every child process needs: imported once by the server that they are forked from, then shared."""

from itopd.datamodel import bundled_model
from itopd.oql import parse

bundled_model()
parse("SELECT Person")
