"""A Ray cluster: joined where `RAY_ADDRESS` names one, else started on this machine."""
