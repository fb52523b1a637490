"""A scripted model in place of Claude, an approver in place of a person, and the recorder that scripts are made by."""
