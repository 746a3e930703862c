"""Methods that an iVAE is compared with: FastICA, joint diagonalisation, and TCL.

May import ivae and companion.whitening; imported by chapters 11 and 14 and their code.
"""

from companion.neighbours import contrastive, covariances, fastica

__all__ = ["contrastive", "covariances", "fastica"]
