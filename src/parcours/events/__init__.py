"""Events: flat tables read through the SNDS filters into one table of dated facts per person."""
